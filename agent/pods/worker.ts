/**
 * One pod's life: look, plan, act, look again. Woken by the engine's events, by a new version of the object, by probes, by
 * the end of an action and by the time that the plan asked for; it never polls. Actions run side by side as far as the plan
 * allows. What it knows is in `memory.ts`, what it decides in `plan.ts`, what it does in `perform.ts`.
 */
import { cpus, totalmem } from 'node:os';
import type { Pod, PodStatus } from '../../shared/api/core.ts';
import { isTerminal } from '../../shared/pods.ts';
import type { ObservedContainer } from '../runtime/runtime.ts';
import { backOffSecondsOf } from './back-off.ts';
import { backOffMessage } from './container-status.ts';
import { allOf, type ContainerView, shouldRestart, viewOf } from './containers-of-pod.ts';
import type { Machine } from './engine-limits.ts';
import { eventsOf } from './events.ts';
import type { Images } from './images.ts';
import { type Ending, emptyMemory, type ObservedPod, type PodMemory } from './memory.ts';
import type { KeeperParts } from './parts.ts';
import { perform } from './perform.ts';
import { nextStep } from './plan.ts';
import type { PodContext } from './pod-context.ts';
import { podFiles } from './pod-files.ts';
import { ContainerProbes, probesOf } from './probes.ts';
import { firstGrants, followResize, grantedPod, type ResizeNews, type Room, resizeDetails } from './resize.ts';
import { podStatusOf } from './status.ts';
import { keyOf, type Step } from './step.ts';
import { terminationMessageOf } from './termination-message.ts';

export interface WorkerHooks {
  /** Nothing is left of the pod. */
  gone(): void;
  /** Its objects do not exist in the cluster: say nothing about it. */
  silent: boolean;
  /** What is left for a resize of this pod. */
  room(): Room;
  /** Something of what this pod was granted is free again. */
  roomMade(): void;
  /** When its volumes must be brought up to date, though nothing has changed; undefined: never. */
  refreshAtMs(): number | undefined;
}

/** After an action failed in a way that nobody foresaw. */
const RETRY_MS = 5_000;

export class PodWorker {
  readonly uid: string;
  readonly #parts: KeeperParts;
  readonly #hooks: WorkerHooks;
  readonly #context: PodContext;
  readonly #memory: PodMemory;
  readonly #containers = new Map<string, ObservedContainer>();
  /** Ids of what is gone: late news of it must not bring it back. */
  readonly #removed = new Set<string>();
  /** By container id. */
  readonly #probes = new Map<string, ContainerProbes>();
  /** As the cluster has it. */
  #wanted: Pod;
  /** As it was granted: what runs. */
  #pod: Pod;
  /** The pod's records are being removed: what was last reported is the last word. */
  #isFading = false;
  #turnIsDue = false;
  #mustReport = false;
  #closed = false;
  #callOffTimer: () => void = () => {};

  constructor(parts: KeeperParts, images: Images, pod: Pod, adopted: readonly ObservedContainer[], hooks: WorkerHooks) {
    this.uid = pod.metadata.uid;
    this.#parts = parts;
    this.#hooks = hooks;
    const startTime = pod.status?.startTime;
    this.#memory = emptyMemory(
      startTime === undefined ? oldest(adopted, parts.clock.now()) : Date.parse(startTime),
      machine(),
    );
    this.#memory.network = parts.network.attachments().get(this.uid);
    for (const container of adopted) this.#containers.set(container.id, container);
    this.#memory.grants = firstGrants(pod, this.#observed(), this.#memory.machine);
    this.#wanted = pod;
    this.#pod = grantedPod(pod, this.#memory.grants);
    const files = podFiles(parts.config.dataDir, this.uid);
    const send: KeeperParts['reporter']['event'] = (event) => {
      if (!hooks.silent) parts.reporter.event(event);
    };
    this.#context = {
      parts,
      images,
      files,
      memory: this.#memory,
      events: eventsOf(
        () => this.#pod,
        parts.config.nodeName,
        () => parts.clock.now(),
        send,
      ),
      pod: () => this.#pod,
      observed: () => this.#observed(),
      merge: (container) => this.#merge(container),
      forget: (id) => this.#forget(id),
      facts: () => ({
        nodeIP: parts.nodeIP(),
        podIP: this.#memory.network?.ip ?? (this.#pod.spec.hostNetwork === true ? parts.nodeIP() : undefined),
        ...this.#memory.machine,
      }),
    };
  }

  get pod(): Pod {
    return this.#pod;
  }

  get isEnding(): boolean {
    return this.#memory.ending !== undefined;
  }

  get podIP(): string | undefined {
    return this.#context.facts().podIP;
  }

  observed(): ObservedPod {
    return this.#observed();
  }

  view() {
    return viewOf(this.#pod, this.#observed());
  }

  memory(): Readonly<PodMemory> {
    return this.#memory;
  }

  /** A newer version of the object. */
  update(pod: Pod): void {
    const before = this.#wanted;
    this.#wanted = pod;
    this.#pod = grantedPod(pod, this.#memory.grants);
    const { metadata } = pod;
    const changed =
      JSON.stringify([before.metadata.labels, before.metadata.annotations]) !==
      JSON.stringify([metadata.labels, metadata.annotations]);
    if (changed) this.refreshVolumes();
    const isNews = before.metadata.resourceVersion !== metadata.resourceVersion;
    if (isNews && this.#memory.reported !== undefined && pod.status?.startTime === undefined) this.reportAgain();
    this.wake();
  }

  /** The pod must end. Called again with less grace, it ends sooner. */
  end(ending: Ending): void {
    const before = this.#memory.ending;
    this.#memory.ending =
      before === undefined
        ? ending
        : {
            deleted: before.deleted || ending.deleted,
            graceSeconds: Math.min(before.graceSeconds, ending.graceSeconds),
          };
    this.wake();
  }

  /** What the pod's volumes or environment refer to may have changed: failures are tried again, files follow. */
  refreshVolumes(): void {
    const memory = this.#memory;
    if (memory.volumes === 'ready' && !this.isEnding && hasContents(this.#pod)) memory.volumes = 'absent';
    else if (typeof memory.volumes === 'object') memory.volumes.retryAtMs = 0;
    for (const { failure } of memory.containers.values())
      if (failure?.reason === 'CreateContainerConfigError') failure.retryAtMs = 0;
    this.wake();
  }

  /** The engine says that something happened to a container of this pod. */
  async onRuntimeEvent(type: 'started' | 'died' | 'removed' | 'oom', containerId: string): Promise<void> {
    if (type === 'removed') return this.#forget(containerId);
    const known = this.#containers.get(containerId);
    if (type === 'oom' || (type === 'started' && known?.state === 'running')) return;
    if (known?.state === 'exited') return;
    // While an action is on its way with it, the action says how it went.
    if (type === 'started' && [...this.#memory.busy].some((key) => key.startsWith('container:') || key === 'sandbox'))
      return;
    const seen = await this.#parts.runtime.inspect(containerId);
    if (seen === undefined) this.#forget(containerId);
    else await this.#merge(seen);
  }

  /** Everything that the engine has of the pod: events may have been missed. */
  async relist(containers: readonly ObservedContainer[]): Promise<void> {
    const present = new Set(containers.map((each) => each.id));
    for (const id of this.#containers.keys()) if (!present.has(id)) this.#forget(id);
    for (const container of containers) await this.#merge(container);
  }

  /** The cluster does not have what was said before: its copy is new, or was restored. */
  reportAgain(): void {
    this.#mustReport = true;
    this.wake();
  }

  wake(): void {
    if (this.#turnIsDue || this.#closed) return;
    this.#turnIsDue = true;
    queueMicrotask(() => {
      this.#turnIsDue = false;
      if (!this.#closed) this.#turn();
    });
  }

  /** Stops watching; containers stay. */
  close(): void {
    this.#closed = true;
    this.#callOffTimer();
    for (const probes of this.#probes.values()) probes.close();
    this.#probes.clear();
  }

  get isResizeDeferred(): boolean {
    return this.#memory.resize.pending?.reason === 'Deferred';
  }

  #followResize(): void {
    const { ending, evicted } = this.#memory;
    if (this.#hooks.silent || ending !== undefined || evicted !== undefined || isTerminal(this.#wanted)) return;
    const before = this.#pod;
    const news = followResize(this.#wanted, this.#observed(), this.#memory, () => this.#hooks.room());
    if (news.includes('started')) this.#pod = grantedPod(this.#wanted, this.#memory.grants);
    for (const each of news) this.#tellOfResize(each);
    if (before !== this.#pod) this.#hooks.roomMade();
  }

  #tellOfResize(news: ResizeNews): void {
    const { events, memory } = this.#context;
    const { pending } = memory.resize;
    const generation = this.#wanted.metadata.generation ?? 0;
    if (news === 'pending' && pending !== undefined) {
      const details = resizeDetails(this.#wanted, generation, pending.message);
      events.warning(`Resize${pending.reason}`, `Pod resize ${pending.reason}: ${details}`);
    } else if (news === 'started') {
      events.normal('ResizeStarted', `Pod resize started: ${resizeDetails(this.#pod, generation)}`);
    } else if (news === 'completed') {
      events.normal('ResizeCompleted', `Pod resize completed: ${resizeDetails(this.#pod, generation)}`);
    }
  }

  #turn(): void {
    this.#callOffTimer();
    this.#followResize();
    this.#followProbes();
    this.#refreshWhenDue();
    // What has just been seen is told before anything that is begun now can change it.
    this.#report(false);
    for (;;) {
      const step = nextStep(this.#pod, this.#observed(), this.#memory, this.#parts.clock.now());
      if (step.do === 'wait') {
        this.#waitUntil(earliest(step.untilMs, this.#refreshAtMs()));
        break;
      }
      if (step.do === 'gone') {
        this.#goodbye();
        return;
      }
      this.#begin(step);
    }
    this.#report(false);
  }

  #refreshAtMs(): number | undefined {
    return this.#memory.volumes === 'ready' && !this.isEnding ? this.#hooks.refreshAtMs() : undefined;
  }

  #refreshWhenDue(): void {
    const dueMs = this.#refreshAtMs();
    if (dueMs !== undefined && dueMs <= this.#parts.clock.now()) this.#memory.volumes = 'absent';
  }

  #waitUntil(untilMs: number | undefined): void {
    if (untilMs === undefined) return;
    this.#callOffTimer = this.#parts.clock.after(untilMs - this.#parts.clock.now(), () => this.wake());
  }

  #begin(step: Step): void {
    const { busy, stops } = this.#memory;
    const key = keyOf(step);
    busy.add(key);
    if (step.do === 'stop-container') stops.set(step.target.id, this.#parts.clock.now() + step.graceSeconds * 1000);
    const finish = () => {
      busy.delete(key);
      this.wake();
    };
    perform(this.#context, step).then(finish, (error: unknown) => {
      const { namespace, name } = this.#pod.metadata;
      this.#parts.log.error({ err: error, pod: `${namespace}/${name}`, step: step.do }, 'an action on a pod failed');
      if (step.do === 'stop-container') stops.delete(step.target.id);
      // The key stays busy meanwhile, so that nothing spins.
      this.#parts.clock.after(RETRY_MS, finish);
    });
  }

  #observed(): ObservedPod {
    const all = [...this.#containers.values()];
    return {
      sandboxes: all.filter((each) => each.kind === 'sandbox'),
      containers: all.filter((each) => each.kind !== 'sandbox'),
    };
  }

  async #merge(container: ObservedContainer): Promise<void> {
    if (container.state === 'exited') {
      const message = await terminationMessageOf(this.#context, container);
      if (message !== '') this.#memory.messages.set(container.id, message);
    }
    // Removed while it was being looked into.
    if (this.#removed.has(container.id)) return;
    const before = this.#containers.get(container.id);
    if (before !== undefined && RANK[before.state] > RANK[container.state]) return;
    this.#containers.set(container.id, { ...container, imageID: container.imageID || (before?.imageID ?? '') });
    if (container.state === 'exited' && before?.state !== 'exited') this.#ended(container);
    this.wake();
  }

  #ended(container: ObservedContainer): void {
    this.#memory.stops.delete(container.id);
    const seconds = backOffSecondsOf(container);
    const view = allOf(this.view()).find((each) => each.newest?.id === container.id);
    if (view === undefined || seconds === 0 || this.isEnding) return;
    if (!shouldRestart(this.#pod, view, container, this.#memory)) return;
    const { name, namespace, uid } = this.#pod.metadata;
    const where = `container ${view.spec.name} in pod ${name}_${namespace}(${uid})`;
    this.#context.events.warning('BackOff', `Back-off restarting failed ${where}`, view);
    this.#parts.log.debug({ pod: `${namespace}/${name}` }, backOffMessage(this.#pod, view.spec.name, seconds));
  }

  #forget(containerId: string): void {
    this.#memory.stops.delete(containerId);
    this.#memory.messages.delete(containerId);
    this.#removed.add(containerId);
    if (!this.#containers.delete(containerId)) return;
    if (this.#memory.ending?.deleted === true) this.#isFading = true;
    this.wake();
  }

  #followProbes(): void {
    const { inits, mains } = this.view();
    const wanted = new Map<string, ContainerView>();
    for (const view of [...inits.filter((each) => each.sidecar), ...mains]) {
      if (view.newest?.state === 'running' && this.#hasAddress()) wanted.set(view.newest.id, view);
    }
    for (const [id, probes] of this.#probes) {
      if (wanted.has(id) && !this.isEnding) continue;
      probes.close();
      this.#probes.delete(id);
    }
    if (this.isEnding) return;
    for (const [id, view] of wanted) {
      if (this.#probes.has(id) || Object.keys(probesOf(view)).length === 0) continue;
      const startedMs = Date.parse(view.newest?.startedAt ?? view.newest?.createdAt ?? '');
      this.#probes.set(id, new ContainerProbes(this.#context, view, id, startedMs, () => this.wake()));
    }
  }

  #hasAddress(): boolean {
    return this.#memory.network !== undefined || this.#pod.spec.hostNetwork === true;
  }

  #report(gone: boolean): void {
    if (this.#hooks.silent) return;
    const { clock, reporter } = this.#parts;
    const { reported } = this.#memory;
    const fresh = () =>
      podStatusOf(this.#pod, this.#observed(), this.#memory, { ip: this.#parts.nodeIP(), nowMs: clock.now() });
    const status = this.#lastWord() ?? fresh();
    if (!gone && !this.#mustReport && JSON.stringify(status) === JSON.stringify(reported)) return;
    if (isTerminal({ status }) && !isTerminal({ status: reported })) this.#hooks.roomMade();
    this.#memory.reported = status;
    this.#mustReport = false;
    const { namespace = '', name, uid } = this.#pod.metadata;
    reporter.podStatus({ namespace, name, uid }, status, gone);
  }

  /** When the engine's records cannot tell any more: what was said while they could. */
  #lastWord(): PodStatus | undefined {
    const { reported } = this.#memory;
    if (this.#isFading && reported !== undefined) return reported;
    return this.#containers.size === 0 && isTerminal(this.#pod) ? this.#pod.status : undefined;
  }

  #goodbye(): void {
    this.#report(true);
    this.close();
    this.#hooks.gone();
  }
}

const machine = (): Machine => ({ cpuMilli: cpus().length * 1000, memoryBytes: totalmem() });

const RANK: Record<ObservedContainer['state'], number> = { created: 0, running: 1, exited: 2 };

const earliest = (left: number | undefined, right: number | undefined) =>
  left === undefined || right === undefined ? (left ?? right) : Math.min(left, right);

/** Volumes whose files come from the cluster's objects. */
function hasContents(pod: Pod): boolean {
  return (pod.spec.volumes ?? []).some(
    ({ configMap, secret, downwardAPI, projected }) => (configMap ?? secret ?? downwardAPI ?? projected) !== undefined,
  );
}

function oldest(containers: readonly ObservedContainer[], nowMs: number): number {
  return Math.min(nowMs, ...containers.map((each) => Date.parse(each.createdAt)));
}
