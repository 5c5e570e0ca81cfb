/**
 * What this machine and its containers use: counters of the kernel and of the engine, read twice. Only when somebody asks:
 * a minion that nobody looks at counts nothing. What asks is `kubelet-endpoints.ts`.
 */
import { readFileSync } from 'node:fs';
import type { PodUsage, UsageReport } from '../../shared/usage.ts';
import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';

/** Shorter, and one tick of the kernel's clock would be a large part of the answer. */
const SHORTEST_WINDOW_MS = 1_000;
/** Longer, and it would no longer be how things are. */
const LONGEST_WINDOW_MS = 60_000;

export interface HostCounters {
  cpuNanoSeconds: number;
  memoryBytes: number;
  memoryAvailableBytes: number;
}

export interface UsageParts {
  runtime: Pick<Runtime, 'list' | 'stats'>;
  host(): HostCounters;
  now(): number;
  wait(ms: number): Promise<void>;
}

interface Sample {
  timeMs: number;
  host: HostCounters;
  containers: ObservedContainer[];
  /** By container id. */
  used: Map<string, { memoryBytes: number; cpuNano: number }>;
}

export class UsageSampler {
  readonly #parts: UsageParts;
  #last: Sample | undefined;
  #running: Promise<UsageReport> | undefined;

  constructor(parts: UsageParts) {
    this.#parts = parts;
  }

  /** Whoever asks meanwhile gets the same answer. */
  report(): Promise<UsageReport> {
    this.#running ??= this.#measure().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #measure(): Promise<UsageReport> {
    const { now, wait } = this.#parts;
    const age = this.#last === undefined ? Number.POSITIVE_INFINITY : now() - this.#last.timeMs;
    let before = this.#last;
    if (before === undefined || age > LONGEST_WINDOW_MS) {
      before = await this.#sample();
      await wait(SHORTEST_WINDOW_MS);
    } else if (age < SHORTEST_WINDOW_MS) {
      await wait(SHORTEST_WINDOW_MS - age);
    }
    const after = await this.#sample();
    this.#last = after;
    return reportOf(before, after);
  }

  async #sample(): Promise<Sample> {
    const { runtime, host, now } = this.#parts;
    const containers = (await runtime.list()).filter((each) => each.state === 'running' && each.kind !== 'sandbox');
    const used = await runtime.stats(containers.map((each) => each.id));
    return { timeMs: now(), host: host(), containers, used };
  }
}

/** Pure. A container without an earlier sample is averaged over its life. */
export function reportOf(before: Sample, after: Sample): UsageReport {
  const windowMs = Math.max(1, after.timeMs - before.timeMs);
  const rate = (nanoseconds: number, ms: number) => Math.max(0, Math.round((nanoseconds / Math.max(1, ms)) * 1000));
  const pods = new Map<string, PodUsage>();
  for (const { id, name, pod, startedAt = '' } of after.containers) {
    const now = after.used.get(id);
    if (now === undefined) continue;
    const known = before.used.get(id);
    const cpuNanoCores =
      known === undefined
        ? rate(now.cpuNano, after.timeMs - Date.parse(startedAt))
        : rate(now.cpuNano - known.cpuNano, windowMs);
    const usage = { cpuNanoCores, cpuNanoSeconds: now.cpuNano, memoryBytes: now.memoryBytes };
    const of = pods.get(pod.uid) ?? { ...pod, containers: [] };
    pods.set(pod.uid, of);
    of.containers.push({ name, startedAt, ...usage });
  }
  for (const { containers } of pods.values()) containers.sort((a, b) => (a.name < b.name ? -1 : 1));
  const { cpuNanoSeconds, memoryBytes, memoryAvailableBytes } = after.host;
  const cpuNanoCores = rate(cpuNanoSeconds - before.host.cpuNanoSeconds, windowMs);
  return {
    timeMs: after.timeMs,
    windowMs,
    node: { cpuNanoCores, cpuNanoSeconds, memoryBytes, memoryAvailableBytes },
    pods: [...pods.values()].sort((a, b) => (a.uid < b.uid ? -1 : 1)),
  };
}

/** The kernel counts in hundredths of a second, whatever its own clock does. */
const TICK_NANOSECONDS = 10_000_000;
const KIB = 1024;

/** From the texts of /proc/stat and /proc/meminfo: all work of all processors, all memory that could not be had at once. */
export function countersOf(stat: string, meminfo: string): HostCounters {
  const cpu = /^cpu\s+(.*)$/m.exec(stat)?.[1]?.split(/\s+/).map(Number) ?? [];
  // user, nice, system, irq, softirq, steal; guest time is in user time already, idle and iowait are no work.
  const ticks = [0, 1, 2, 5, 6, 7].reduce((sum, at) => sum + (cpu[at] ?? 0), 0);
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0);
  const available = kib('MemAvailable') * KIB;
  return {
    cpuNanoSeconds: ticks * TICK_NANOSECONDS,
    memoryBytes: Math.max(0, kib('MemTotal') * KIB - available),
    memoryAvailableBytes: available,
  };
}

export const readHostCounters = (): HostCounters =>
  countersOf(readFileSync('/proc/stat', 'utf8'), readFileSync('/proc/meminfo', 'utf8'));
