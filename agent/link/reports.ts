/**
 * What waits to be reported, as plain data: the last status of each pod, events up to a limit, what changed about the node,
 * the set of static pods. One batch is under way at a time, so that many changes become one message; what was not answered
 * goes again, unless something newer took its place. So does, after a while, what the cluster's webhooks and policies denied,
 * but for events: a kubelet does the same. Sending is `control.ts`.
 */
import type { Event, Pod, PodStatus } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import type { PodReport, Report, Reported } from '../../shared/link/protocol.ts';

/** The oldest go first when a minion is cut off for long: statuses matter more. */
export const MAX_EVENTS = 500;
const MAX_PODS_IN_BATCH = 200;
const MAX_EVENTS_IN_BATCH = 100;

type NodeReport = NonNullable<Report['node']>;
type Refusals = NonNullable<Reported['refused']>;

/** There is no such pod (any more), or it is another one: that stays so. */
const FINAL_CODES = new Set([404, 409]);

const nameOf = ({ namespace = '', name = '' }: { namespace?: string; name?: string }) => `${namespace}/${name}`;

export class ReportBox {
  private nextId = 1;
  private node: NodeReport | undefined;
  /** By uid. */
  private readonly pods = new Map<string, PodReport>();
  private readonly events: Draft<Event>[] = [];
  private mirrors: Draft<Pod>[] | undefined;
  private underWay: Report | undefined;
  /** What was denied, and of which nothing newer was said since. */
  private readonly denied: { pods: Map<string, PodReport>; node?: NodeReport; mirrors?: Draft<Pod>[] } = {
    pods: new Map(),
  };

  podStatus(pod: { namespace: string; name: string; uid: string }, status: PodStatus, gone: boolean): void {
    this.denied.pods.delete(pod.uid);
    this.pods.set(pod.uid, { ...pod, status, ...(gone ? { gone } : {}) });
  }

  event(event: Draft<Event>): void {
    this.events.push(event);
    if (this.events.length > MAX_EVENTS) this.events.shift();
  }

  nodeChanged(change: NodeReport): void {
    this.node = merged(merged(this.denied.node, this.node ?? {}), change);
    delete this.denied.node;
  }

  setMirrors(pods: readonly Draft<Pod>[]): void {
    delete this.denied.mirrors;
    this.mirrors = [...pods];
  }

  /** The next batch; undefined while one is under way, or when there is nothing to say. */
  take(): Report | undefined {
    if (this.underWay !== undefined) return undefined;
    const pods = [...this.pods.values()].slice(0, MAX_PODS_IN_BATCH);
    const events = this.events.splice(0, MAX_EVENTS_IN_BATCH);
    const { node, mirrors } = this;
    if (pods.length === 0 && events.length === 0 && node === undefined && mirrors === undefined) return undefined;
    for (const pod of pods) this.pods.delete(pod.uid);
    this.node = undefined;
    this.mirrors = undefined;
    this.underWay = {
      type: 'report',
      id: this.nextId++,
      ...(node ? { node } : {}),
      ...(mirrors ? { mirrors } : {}),
      ...(pods.length > 0 ? { pods } : {}),
      ...(events.length > 0 ? { events } : {}),
    };
    return this.underWay;
  }

  /** The cluster has committed this batch, but for these parts. @returns whether some are to be said again. */
  answered(id: number, refused: Refusals = []): boolean {
    const report = this.underWay;
    if (report?.id !== id) return false;
    this.underWay = undefined;
    const names = new Set(refused.filter(({ status }) => !FINAL_CODES.has(status.code ?? 0)).map(nameOf));
    if (names.size === 0) return false;
    const { pods = [], node, mirrors } = report;
    const denied = pods.filter((pod) => names.has(nameOf(pod)) && !this.pods.has(pod.uid));
    for (const pod of denied) this.denied.pods.set(pod.uid, pod);
    // A Node is in no namespace, and a report speaks of no other.
    const ofNode = [...names].some((name) => name.startsWith('/'));
    if (ofNode && node !== undefined) this.denied.node = merged(this.denied.node, node);
    if (mirrors?.some(({ metadata }) => names.has(nameOf({ namespace: 'default', ...metadata })))) {
      this.denied.mirrors = mirrors;
    }
    return denied.length > 0 || this.denied.node !== undefined || this.denied.mirrors !== undefined;
  }

  /** What was denied waits to be reported as before. @param isThere of a pod by its uid: of what is gone nothing is said. */
  sayAgain(isThere: (uid: string) => boolean): void {
    const { pods, node, mirrors } = this.denied;
    for (const [uid, pod] of pods) if (isThere(uid)) this.pods.set(uid, pod);
    pods.clear();
    if (node !== undefined) this.nodeChanged({});
    if (mirrors !== undefined) this.setMirrors(mirrors);
  }

  /** The socket went before the answer came: what is not outdated waits again. */
  giveBack(): void {
    const report = this.underWay;
    this.underWay = undefined;
    if (report === undefined) return;
    for (const pod of report.pods ?? []) if (!this.pods.has(pod.uid)) this.pods.set(pod.uid, pod);
    this.events.unshift(...(report.events ?? []));
    this.events.splice(0, Math.max(0, this.events.length - MAX_EVENTS));
    if (report.node) this.node = this.node === undefined ? report.node : merged(report.node, this.node);
    this.mirrors ??= report.mirrors;
  }
}

/** Field by field: the later word wins. */
function merged(earlier: NodeReport | undefined, later: NodeReport): NodeReport {
  const annotations = { ...earlier?.annotations, ...later.annotations };
  const labels = { ...earlier?.labels, ...later.labels };
  const status = { ...earlier?.status, ...later.status };
  return {
    ...(Object.keys(status).length > 0 ? { status } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
  };
}
