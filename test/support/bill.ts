/**
 * What a month of usage costs on Cloudflare, and what the control planes cost that one would have otherwise. Prices are
 * constants with their source and the day on which they were read; dollars, without tax.
 */
import type { Usage } from './meter.ts';

/** Source: https://developers.cloudflare.com/durable-objects/platform/pricing/, 2026-11-25 */
const CLOUDFLARE = {
  planDollars: 5,
  requests: { included: 1_000_000, dollars: 0.15, each: 1_000_000 },
  /** Of 128 MB; idle and able to hibernate costs nothing. */
  gigabyteSeconds: { included: 400_000, dollars: 12.5, each: 1_000_000 },
  rowsRead: { included: 25_000_000_000, dollars: 0.001, each: 1_000_000 },
  rowsWritten: { included: 50_000_000, dollars: 1, each: 1_000_000 },
  workerRequests: { included: 10_000_000, dollars: 0.3, each: 1_000_000 },
} as const;

/** The Free plan's quotas of one day. Source: as above. */
export const FREE_DAY = { requests: 100_000, gigabyteSeconds: 13_000, rowsRead: 5_000_000, rowsWritten: 100_000 };

/** Incoming socket messages make a request by the twenty. */
const MESSAGES_A_REQUEST = 20;
const GIGABYTES = 0.128;
/** How long a handler runs, generously: it is a few milliseconds. */
const WAKE_SECONDS = 0.05;
const HOURS_A_MONTH = 730;

/** Control planes that somebody else runs, or that one runs oneself; a month, in dollars, without any machine for pods. */
export const OTHERS: Record<string, number> = {
  /** $0.10 an hour and cluster. Source: https://aws.amazon.com/eks/pricing/, 2026-11-25 */
  EKS: 0.1 * HOURS_A_MONTH,
  /** $0.10 an hour and cluster (one zonal cluster is free). Source: https://cloud.google.com/kubernetes-engine/pricing, 2026-11-25 */
  GKE: 0.1 * HOURS_A_MONTH,
  /** Three servers of 2 cores and 4 GB (t3.medium, $0.0416 an hour). Source: https://aws.amazon.com/ec2/pricing/on-demand/, 2026-11-25 */
  'k3s on three servers': 3 * 0.0416 * HOURS_A_MONTH,
};

export type Billed = Record<keyof typeof FREE_DAY, number>;

/** In the units of the bill. @param times how often that usage comes */
export function billed(used: Usage, times = 1): Billed {
  const wakes = used.requests + used.messages + used.closes + used.alarms;
  return {
    requests: times * (used.requests + used.alarms + used.messages / MESSAGES_A_REQUEST),
    gigabyteSeconds: times * wakes * WAKE_SECONDS * GIGABYTES,
    rowsRead: times * used.rowsRead,
    rowsWritten: times * used.rowsWritten,
  };
}

export const sumOf = (...parts: Billed[]): Billed => ({
  requests: parts.reduce((sum, each) => sum + each.requests, 0),
  gigabyteSeconds: parts.reduce((sum, each) => sum + each.gigabyteSeconds, 0),
  rowsRead: parts.reduce((sum, each) => sum + each.rowsRead, 0),
  rowsWritten: parts.reduce((sum, each) => sum + each.rowsWritten, 0),
});

/** Dollars for a month of that, plan included. @param workerRequests that the Worker answers, waiting not counted */
export function monthlyDollars(month: Billed, workerRequests = 0): number {
  const beyond = ({ included, dollars, each }: { included: number; dollars: number; each: number }, used: number) =>
    (Math.max(0, used - included) / each) * dollars;
  return (
    CLOUDFLARE.planDollars +
    beyond(CLOUDFLARE.requests, month.requests) +
    beyond(CLOUDFLARE.gigabyteSeconds, month.gigabyteSeconds) +
    beyond(CLOUDFLARE.rowsRead, month.rowsRead) +
    beyond(CLOUDFLARE.rowsWritten, month.rowsWritten) +
    beyond(CLOUDFLARE.workerRequests, workerRequests)
  );
}

/** The largest share of a Free plan's day that this takes, and of which quota. */
export function freeShare(day: Billed): { share: number; of: string } {
  const shares = Object.entries(FREE_DAY).map(([of, quota]) => ({ of, share: day[of as keyof Billed] / quota }));
  return shares.reduce((most, each) => (each.share > most.share ? each : most));
}
