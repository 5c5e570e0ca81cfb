/**
 * All pods of this minion: one worker each, for what the cluster wants (`setPods`), what the manifest files want, and what
 * the engine still has. Adoption is nothing special: a worker begins with the containers that are there and finds that
 * little is left to do. Decisions about one pod are in `plan.ts`.
 */
import type { Pod } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { type Amounts, amountsOf, isTerminal, requestsOf } from '../../shared/pods.ts';
import type { ObservedContainer, RuntimeEvent } from '../runtime/runtime.ts';
import { Images } from './images.ts';
import { orphanOf } from './orphans.ts';
import type { KeeperParts } from './parts.ts';
import { gracePeriodOf } from './plan-ending.ts';
import { podFiles, podsFolder } from './pod-files.ts';
import type { LogQuery, PodKeeper, PodStreams } from './pods.ts';
import { mirrorOf, StaticPods } from './static-pods.ts';
import { podStreams } from './streams.ts';
import { PodTokens } from './tokens.ts';
import { podsOnDisk, removePodFiles } from './volumes.ts';
import { PodWorker } from './worker.ts';

export class Keeper implements PodKeeper {
  readonly #parts: KeeperParts;
  readonly #images: Images;
  readonly #tokens: PodTokens | undefined;
  readonly #streams: PodStreams;
  readonly #staticPods: StaticPods;
  readonly #stopping = new AbortController();
  /** By pod uid. */
  readonly #workers = new Map<string, PodWorker>();
  /** Found in the engine at the start, and not yet given to a worker; by pod uid. */
  #found = new Map<string, ObservedContainer[]>();
  /** From the cluster, mirror pods apart; undefined until it has spoken. */
  #wanted: Map<string, Pod> | undefined;
  #static = new Map<string, Pod>();
  /** Static pods' own uids, by the uid of their mirror. */
  #mirrors = new Map<string, string>();
  /** Wanted by the cluster still, but ended and removed here. */
  readonly #gone = new Set<string>();
  #started = false;

  constructor(parts: KeeperParts) {
    this.#tokens = parts.tokens === undefined ? undefined : new PodTokens(parts.tokens, parts.clock, parts.log);
    this.#parts = { ...parts, tokens: this.#tokens?.get };
    this.#images = new Images(parts.runtime, parts.references, parts.clock);
    this.#streams = podStreams(
      parts.runtime,
      (uid) => this.#workers.get(this.#mirrors.get(uid) ?? uid),
      () => parts.clock.now(),
    );
    this.#staticPods = new StaticPods(parts.config, parts, (pods) => this.#setStaticPods(pods));
  }

  async start(): Promise<void> {
    // Events first: what happens during the listing must not be lost.
    this.#parts.runtime.events((event) => this.#onEvent(event), this.#stopping.signal);
    this.#found = Map.groupBy(await this.#parts.runtime.list(), (each) => each.pod.uid);
    this.#started = true;
    await this.#staticPods.start();
    this.#reconcile();
    await this.#clearDisk();
  }

  setPods(pods: readonly Pod[]): void {
    const mirrors = pods.filter((pod) => pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined);
    this.#mirrors = new Map(
      mirrors.map((pod) => [pod.metadata.uid, pod.metadata.annotations?.[MIRROR_ANNOTATION] ?? '']),
    );
    const own = pods.filter((pod) => !mirrors.includes(pod));
    const first = this.#wanted === undefined;
    this.#wanted = new Map(own.map((pod) => [pod.metadata.uid, pod]));
    for (const uid of this.#gone) if (!this.#wanted.has(uid)) this.#gone.delete(uid);
    this.#releaseMirrors(mirrors);
    this.#reconcile();
    for (const { metadata, status } of mirrors)
      if (status?.startTime === undefined) this.#workers.get(this.#mirrors.get(metadata.uid) ?? '')?.reportAgain();
    if (first && this.#started) void this.#clearDisk();
  }

  referencesChanged(): void {
    for (const worker of this.#workers.values()) worker.refreshVolumes();
  }

  reportAgain(): void {
    for (const worker of this.#workers.values()) worker.reportAgain();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#staticPods.stop();
    for (const worker of this.#workers.values()) worker.close();
    this.#workers.clear();
  }

  logs(podUid: string, query: LogQuery, signal: AbortSignal) {
    return this.#streams.logs(podUid, query, signal);
  }

  exec(...asked: Parameters<PodStreams['exec']>) {
    return this.#streams.exec(...asked);
  }

  attach(...asked: Parameters<PodStreams['attach']>) {
    return this.#streams.attach(...asked);
  }

  sandboxPid(podUid: string): number | undefined {
    return this.#streams.sandboxPid(podUid);
  }

  #setStaticPods(pods: Pod[]): void {
    this.#static = new Map(pods.map((pod) => [pod.metadata.uid, pod]));
    this.#parts.reporter.mirrors(pods.map(mirrorOf));
    this.#reconcile();
  }

  /** Kubernetes: deleting a mirror pod does not touch its static pod; the mirror comes again. */
  #releaseMirrors(mirrors: readonly Pod[]): void {
    const deleted = mirrors.filter((pod) => pod.metadata.deletionTimestamp !== undefined);
    for (const { metadata, status = {} } of deleted) {
      const { namespace = '', name, uid } = metadata;
      this.#parts.reporter.podStatus({ namespace, name, uid }, status, true);
    }
    if (deleted.length > 0) this.#parts.reporter.mirrors([...this.#static.values()].map(mirrorOf));
  }

  /** Brings the workers to what is wanted now. */
  #reconcile(): void {
    if (!this.#started) return;
    const wanted = new Map([...(this.#wanted ?? []), ...this.#static]);
    for (const [uid, pod] of wanted) this.#follow(uid, pod);
    for (const [uid, worker] of this.#workers) {
      if (wanted.has(uid) || worker.isEnding) continue;
      // Kubernetes: a pod whose object is gone without a word still has the time that its spec gives it.
      worker.end({ deleted: true, graceSeconds: Math.max(1, gracePeriodOf(worker.pod)) });
    }
    if (this.#wanted !== undefined) this.#endOrphans();
  }

  #follow(uid: string, pod: Pod): void {
    if (this.#gone.has(uid)) return;
    let worker = this.#workers.get(uid);
    if (worker === undefined) {
      if (this.#hasPredecessor(pod)) return;
      const adopted = this.#found.get(uid) ?? [];
      this.#found.delete(uid);
      worker = this.#employ(pod, adopted, false);
    } else {
      worker.update(pod);
    }
    if (pod.metadata.deletionTimestamp === undefined) return;
    worker.end({ deleted: true, graceSeconds: pod.metadata.deletionGracePeriodSeconds ?? gracePeriodOf(pod) });
  }

  /** A pod of the same name must be over before the next one begins: they may share ports and folders of the host. */
  #hasPredecessor({ metadata }: Pod): boolean {
    return [...this.#workers.values()].some(
      ({ pod }) => pod.metadata.name === metadata.name && pod.metadata.namespace === metadata.namespace,
    );
  }

  #employ(pod: Pod, adopted: readonly ObservedContainer[], silent: boolean): PodWorker {
    const { uid } = pod.metadata;
    const gone = () => {
      this.#workers.delete(uid);
      this.#images.forget(uid);
      this.#tokens?.forget(uid);
      if (this.#wanted?.has(uid)) this.#gone.add(uid);
      this.#reconcile();
      this.#wakeDeferred();
    };
    const worker = new PodWorker(this.#parts, this.#images, pod, adopted, {
      gone,
      silent,
      room: () => ({ allocatable: amountsOf(this.#parts.allocatable()), taken: this.#takenBeside(uid) }),
      roomMade: () => this.#wakeDeferred(),
      refreshAtMs: () => this.#tokens?.refreshAtMs(uid),
    });
    this.#workers.set(uid, worker);
    worker.wake();
    return worker;
  }

  /** What all other pods here were granted of the node. */
  #takenBeside(uid: string): Amounts {
    const taken: Amounts = {};
    for (const worker of this.#workers.values()) {
      if (worker.uid === uid || isTerminal({ status: worker.memory().reported ?? worker.pod.status })) continue;
      for (const [name, amount] of Object.entries(requestsOf({ spec: worker.pod.spec })))
        taken[name] = (taken[name] ?? 0) + amount;
    }
    return taken;
  }

  /** Resizes that had to wait for room are looked at again. */
  #wakeDeferred(): void {
    for (const worker of this.#workers.values()) if (worker.isResizeDeferred) worker.wake();
  }

  #endOrphans(): void {
    const orphans = [...this.#found];
    this.#found.clear();
    for (const [uid, containers] of orphans) {
      if (this.#workers.has(uid)) continue;
      const pod = orphanOf(containers);
      const { namespace, name } = pod.metadata;
      this.#parts.log.info({ pod: `${namespace}/${name}`, uid }, 'ending a pod that is no longer wanted here');
      this.#employ(pod, containers, true).end({ deleted: true, graceSeconds: gracePeriodOf(pod) });
    }
  }

  #onEvent(event: RuntimeEvent): void {
    const work = event.type === 'reconnected' ? this.#relist() : this.#tell(event);
    work.catch((error: unknown) => this.#parts.log.error({ err: error, event }, 'an event of the engine was lost'));
  }

  async #tell(event: Exclude<RuntimeEvent, { type: 'reconnected' }>): Promise<void> {
    await this.#workers.get(event.pod.uid)?.onRuntimeEvent(event.type, event.containerId);
  }

  async #relist(): Promise<void> {
    const byPod = Map.groupBy(await this.#parts.runtime.list(), (each) => each.pod.uid);
    await Promise.all([...this.#workers].map(([uid, worker]) => worker.relist(byPod.get(uid) ?? [])));
  }

  /** Files and addresses of pods that ended while the agent was not there. */
  async #clearDisk(): Promise<void> {
    if (this.#wanted === undefined) return;
    const { config, network, log } = this.#parts;
    const known = (uid: string) => this.#workers.has(uid) || this.#wanted?.has(uid) || this.#static.has(uid);
    try {
      for (const uid of await podsOnDisk(podsFolder(config.dataDir)))
        if (!known(uid)) await removePodFiles(podFiles(config.dataDir, uid));
      for (const uid of [...network.attachments().keys()]) if (!known(uid)) await network.detach(uid);
    } catch (error) {
      log.error({ err: error }, 'leftovers of ended pods could not be removed');
    }
  }
}
