/**
 * A minion without a machine: speaks the control socket's protocol as the agent does, starts no container, and says of each
 * of its pods at once that it runs. It keeps a few words a pod, so that thousands fit into one process. Dialling and timers
 * are passed in, as `agent/link` has them; that both ends behave alike is checked by `test/contracts/link.ts`.
 */
import { type Dial, KeptSocket, type OutSocket, type Timers } from '../../agent/link/kept-socket.ts';
import type { LinkLog } from '../../agent/link/log.ts';
import type { NodeStatus, Pod, PodStatus } from '../../shared/api/core.ts';
import type { Status } from '../../shared/api/meta.ts';
import {
  type Delta,
  type DownMessage,
  LINK_VERSION,
  PING,
  type PodReport,
  type UpMessage,
  type Welcome,
} from '../../shared/link/protocol.ts';
import { isTerminal } from '../../shared/pods.ts';
import { formatTime } from '../../shared/time.ts';

export interface FakeMinionOptions {
  node: string;
  dial: Dial;
  timers: Timers;
  /** Wall clock of what is reported. */
  nowMs?: () => number;
  random?: () => number;
  machineId?: string;
  log?: LinkLog;
  /** A report was answered: it is committed. */
  onReported?: () => void;
  /** What becomes of a pod that is new here or changed; undefined leaves it as it is. Without this it runs at once. */
  statusOf?: (pod: Pod, podIP: string) => PodStatus | undefined;
}

interface KnownPod {
  namespace: string;
  name: string;
  uid: string;
}

/** A pod that is here, with the address that it has or was given; empty when it has none, or has ended. */
interface OwnPod extends KnownPod {
  podIP: string;
}

/** Addresses of a share that pods may have: all but the first two and the last. */
const ADDRESSES = 253;
const GATHER_MS = 5;
const SILENT: LinkLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

export const fakeNodeStatus = (machineID: string, nowMs: number): NodeStatus => ({
  capacity: { cpu: '64', memory: '256Gi', 'ephemeral-storage': '1Ti', pods: '250' },
  allocatable: { cpu: '64', memory: '256Gi', 'ephemeral-storage': '1Ti', pods: '250' },
  conditions: [
    {
      type: 'Ready',
      status: 'True',
      reason: 'KubeletReady',
      message: 'kubelet is posting ready status',
      lastTransitionTime: formatTime(nowMs),
    },
  ],
  addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
  nodeInfo: {
    machineID,
    systemUUID: '',
    bootID: '',
    kernelVersion: '6.1.0',
    osImage: 'none',
    containerRuntimeVersion: 'fake://1',
    kubeletVersion: 'v1.36.0',
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: 'amd64',
  },
});

export class FakeMinion {
  readonly node: string;
  readonly machineId: string;
  /** This minion's pods, by namespace/name. */
  readonly pods = new Map<string, OwnPod>();
  /** What the cluster said last. */
  welcome: Welcome | undefined;
  refused: Status | undefined;
  /** How many deltas were applied, how many of them were the whole picture, and pods' statuses acknowledged by the cluster. */
  applied = 0;
  resynced = 0;
  reported = 0;
  private readonly options: FakeMinionOptions;
  private readonly kept: KeptSocket;
  private socket: OutSocket | undefined;
  private isWelcomed = false;
  private position: { epoch: string; revision: number } | undefined;
  private unfinished: Delta[] = [];
  private lastNumber = 0;
  /** By uid: what is still to be said. */
  private readonly waiting = new Map<string, PodReport>();
  private underWay: { id: number; pods: PodReport[] } | undefined;
  private nextId = 1;
  private lastAddress = 0;
  private flushDue = false;

  constructor(options: FakeMinionOptions) {
    this.options = options;
    this.node = options.node;
    this.machineId = options.machineId ?? `machine-of-${options.node}`;
    this.kept = new KeptSocket({
      name: 'control',
      dial: options.dial,
      timers: options.timers,
      random: options.random ?? Math.random,
      log: options.log ?? SILENT,
      onOpen: (socket) => this.opened(socket),
      onText: (text) => this.take(JSON.parse(text) as DownMessage),
      onDown: () => this.down(),
    });
  }

  start(): void {
    this.kept.start();
  }

  /** With a reason the cluster is told; without one it sees the socket close. */
  async stop(goodbye?: string): Promise<void> {
    if (goodbye !== undefined && this.isWelcomed) this.send({ type: 'goodbye', reason: goodbye });
    await this.kept.stop('the minion stops');
  }

  get connected(): boolean {
    return this.isWelcomed;
  }

  /** Whether everything that there was to say is said and committed. */
  get settled(): boolean {
    return this.isWelcomed && this.waiting.size === 0 && this.underWay === undefined;
  }

  /** Besides those that the kept socket sends by its timers. */
  heartbeat(): void {
    this.socket?.send(PING);
  }

  /** Says this of a pod with the next report. */
  report(pod: KnownPod, status: PodStatus, gone = false): void {
    const { namespace, name, uid } = pod;
    this.waiting.set(uid, { namespace, name, uid, status, ...(gone ? { gone } : {}) });
    this.wake();
  }

  /** A pod that runs, every container ready. */
  running(pod: Pod, podIP: string): PodStatus {
    const now = formatTime(this.nowMs());
    const condition = (type: string) => ({ type, status: 'True' as const, lastTransitionTime: now });
    return {
      phase: 'Running',
      podIP,
      podIPs: [{ ip: podIP }],
      hostIP: '192.0.2.1',
      startTime: now,
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady'].map(condition),
      containerStatuses: pod.spec.containers.map(({ name, image = '' }) => ({
        name,
        state: { running: { startedAt: now } },
        lastState: {},
        ready: true,
        started: true,
        restartCount: 0,
        image,
        imageID: '',
        containerID: `fake://${pod.metadata.uid}/${name}`,
      })),
    };
  }

  private nowMs(): number {
    return this.options.nowMs?.() ?? Date.now();
  }

  private opened(socket: OutSocket): void {
    this.socket = socket;
    this.send({
      type: 'hello',
      version: LINK_VERSION,
      node: this.node,
      agentVersion: 'fake',
      machineId: this.machineId,
      registration: { labels: {}, annotations: {}, status: fakeNodeStatus(this.machineId, this.nowMs()) },
      ...(this.position ? { resume: this.position } : {}),
    });
    this.kept.awaits('hello');
  }

  private down(): void {
    this.socket = undefined;
    this.isWelcomed = false;
    this.unfinished = [];
    this.lastNumber = 0;
    // What was not answered goes again, unless something newer took its place.
    for (const pod of this.underWay?.pods ?? []) if (!this.waiting.has(pod.uid)) this.waiting.set(pod.uid, pod);
    this.underWay = undefined;
  }

  private take(message: DownMessage): void {
    switch (message.type) {
      case 'welcome':
        this.welcome = message;
        this.isWelcomed = true;
        this.kept.settled();
        this.kept.answered();
        this.wake();
        return;
      case 'delta':
        if ((message.number ?? this.lastNumber + 1) !== this.lastNumber + 1) {
          this.kept.drop(`delta ${message.number} is not the next: dialling again for what is missing`);
          return;
        }
        this.lastNumber++;
        this.unfinished.push(message);
        if (!message.more) this.apply();
        return;
      case 'recall':
        if (this.isWelcomed && message.nodes.includes(this.node)) this.kept.drop('called back: dialling again');
        return;
      case 'reported':
        if (this.underWay?.id === message.id) {
          this.reported += this.underWay.pods.length;
          this.underWay = undefined;
          this.kept.answered();
          this.options.onReported?.();
        }
        this.wake();
        return;
      case 'refused':
        this.refused = message.status;
        this.kept.answered();
        return;
    }
  }

  private apply(): void {
    const parts = this.unfinished;
    this.unfinished = [];
    const revision = parts.at(-1)?.revision;
    if (revision === undefined || this.welcome === undefined || !this.isWelcomed) return;
    const before = new Map(this.pods);
    if (parts.some((part) => part.full)) {
      this.resynced++;
      this.pods.clear();
    }
    const changed = new Map<string, Pod>();
    for (const { puts, removals } of parts) {
      for (const { resource, object } of puts) {
        if (resource !== 'pods') continue;
        const { namespace = '', name, uid } = object.metadata;
        const known = before.get(`${namespace}/${name}`);
        const pod = object as Pod;
        const { podIP = known?.uid === uid ? known.podIP : '' } = pod.status ?? {};
        this.pods.set(`${namespace}/${name}`, { namespace, name, uid, podIP: isTerminal(pod) ? '' : podIP });
        changed.set(uid, pod);
      }
      for (const { resource, namespace, name, uid } of removals) {
        if (resource !== 'pods') continue;
        this.pods.delete(`${namespace}/${name}`);
        this.waiting.delete(uid);
        changed.delete(uid);
      }
    }
    this.position = { epoch: this.welcome.epoch, revision };
    this.applied++;
    this.send({ type: 'acknowledge', ...this.position });
    for (const pod of changed.values()) this.perform(pod);
  }

  /** What an agent would do with containers, done by saying so. */
  private perform(pod: Pod): void {
    const { namespace = '', name, uid, deletionTimestamp } = pod.metadata;
    const known = { namespace, name, uid };
    if (deletionTimestamp !== undefined) {
      this.report(known, { ...pod.status, phase: pod.status?.phase ?? 'Pending' }, true);
      return;
    }
    const own = this.pods.get(`${namespace}/${name}`);
    const podIP = own?.podIP || this.freeAddress();
    const status = this.options.statusOf
      ? this.options.statusOf(pod, podIP)
      : pod.status?.phase === 'Running'
        ? undefined
        : this.running(pod, podIP);
    if (own !== undefined) own.podIP = isTerminal(status === undefined ? pod : { status }) ? '' : podIP;
    if (status !== undefined) this.report(known, status);
  }

  private freeAddress(): string {
    const share = this.welcome?.nodeCIDR.split('.').slice(0, 3).join('.') ?? '10.244.0';
    const taken = new Set(Array.from(this.pods.values(), ({ podIP }) => podIP));
    for (let tries = 0; tries < ADDRESSES; tries++) {
      this.lastAddress = (this.lastAddress % ADDRESSES) + 1;
      const address = `${share}.${this.lastAddress + 1}`;
      if (!taken.has(address)) return address;
    }
    throw new Error(`${this.node} has no address left`);
  }

  /** Changes that come together travel together, one batch at a time. */
  private wake(): void {
    if (this.flushDue || !this.isWelcomed || this.underWay !== undefined || this.waiting.size === 0) return;
    this.flushDue = true;
    this.options.timers.after(GATHER_MS, () => {
      this.flushDue = false;
      if (!this.isWelcomed || this.underWay !== undefined || this.waiting.size === 0) return;
      this.underWay = { id: this.nextId++, pods: [...this.waiting.values()] };
      this.waiting.clear();
      this.send({ type: 'report', ...this.underWay });
      this.kept.awaits('a report');
    });
  }

  private send(message: UpMessage): void {
    this.socket?.send(JSON.stringify(message));
  }
}
