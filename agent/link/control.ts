/**
 * The control socket: says hello, takes deltas into the replica and acknowledges them, sends reports until they are
 * answered, says goodbye. The protocol is `shared/link/protocol.ts`; keeping the socket up is `kept-socket.ts`.
 */
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { Status } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { type Delta, type DownMessage, type Hello, LINK_VERSION, type UpMessage } from '../../shared/link/protocol.ts';
import { type Dial, KeptSocket, type OutSocket, type Timers } from './kept-socket.ts';
import type { LinkSettings, Touched } from './link.ts';
import type { LinkLog } from './log.ts';
import type { SqliteReplica } from './replica.ts';
import type { ReportBox } from './reports.ts';

export interface ControlParts {
  settings: Pick<LinkSettings, 'nodeName' | 'agentVersion' | 'machineId' | 'registration'>;
  dial: Dial;
  timers: Timers;
  random(): number;
  log: LinkLog;
  replica: SqliteReplica;
  reports: ReportBox;
  onTouched(touched: Touched): void;
  /** The first answer of this run: welcome (undefined), or why the cluster will not have this minion. */
  onVerdict(error: StatusError | undefined): void;
  /** The server answered the upgrade with this HTTP status. */
  onHttpStatus(status: number): void;
}

const WELCOME: Touched = { parts: new Set(['welcome']), services: new Set() };
/** Changes that come together travel together. */
const GATHER_MS = 5;
/** Kubernetes: a kubelet looks every ten seconds which statuses the cluster has not got. What is denied for good wakes it less often. */
const AGAIN_MS = 10_000;
const MOST_AGAIN_MS = 300_000;

export class Control {
  private readonly parts: ControlParts;
  private readonly kept: KeptSocket;
  private socket: OutSocket | undefined;
  private epoch: string | undefined;
  /** Parts of a delta whose end has not come yet. */
  private unfinished: Delta[] = [];
  /** Whole deltas, in order, that are about to be applied. */
  private gathered: Delta[][] = [];
  private flushDue = false;
  private againDue = false;
  private againMs = AGAIN_MS;
  /** Of the last message of a delta on this socket. */
  private lastNumber = 0;

  constructor(parts: ControlParts) {
    this.parts = parts;
    const { dial, timers, random, log } = parts;
    this.kept = new KeptSocket({
      name: 'control',
      dial,
      timers,
      random,
      log,
      onOpen: (socket) => this.opened(socket),
      onText: (text) => this.take(JSON.parse(text) as DownMessage),
      onDown: (_reason, status) => this.lost(status),
    });
  }

  start(): void {
    this.kept.start();
  }

  get welcomed(): boolean {
    return this.epoch !== undefined;
  }

  /** Something was put into the report box. */
  wake(): void {
    if (this.flushDue || !this.welcomed) return;
    this.flushDue = true;
    this.parts.timers.after(GATHER_MS, () => {
      this.flushDue = false;
      this.flush();
    });
  }

  async stop(goodbye?: string): Promise<void> {
    if (goodbye !== undefined && this.welcomed) this.send({ type: 'goodbye', reason: goodbye });
    await this.kept.stop('the agent stops');
  }

  private opened(socket: OutSocket): void {
    this.socket = socket;
    const { nodeName, agentVersion, machineId, registration } = this.parts.settings;
    const resume = this.parts.replica.position();
    this.send({
      type: 'hello',
      version: LINK_VERSION,
      node: nodeName,
      agentVersion,
      machineId,
      registration: registration(),
      ...(resume ? { resume } : {}),
    } satisfies Hello);
    this.kept.awaits('hello');
  }

  private lost(status: number | undefined): void {
    this.applyDeltas();
    this.socket = undefined;
    this.epoch = undefined;
    this.unfinished = [];
    this.lastNumber = 0;
    this.parts.reports.giveBack();
    if (status !== undefined) this.parts.onHttpStatus(status);
  }

  private take(message: DownMessage): void {
    const { replica, reports, log } = this.parts;
    switch (message.type) {
      case 'welcome':
        this.epoch = message.epoch;
        this.kept.answered();
        if (replica.setWelcome(message)) this.parts.onTouched(WELCOME);
        log.info({ epoch: message.epoch, nodeCIDR: message.nodeCIDR }, 'welcomed by the cluster');
        this.parts.onVerdict(undefined);
        this.wake();
        return;
      case 'delta':
        if (this.isNext(message)) this.collect(message);
        return;
      case 'recall':
        if (this.welcomed && message.nodes.includes(this.parts.settings.nodeName)) {
          this.kept.drop('the cluster was not heard to the end: dialling again');
        }
        return;
      case 'reported':
        if (reports.answered(message.id, message.refused)) this.sayAgainLater();
        else if (!this.againDue) this.againMs = AGAIN_MS;
        // Not at the welcome: who is cut off at each of his reports is to come back ever later.
        this.kept.settled();
        this.kept.answered();
        for (const { namespace = '', name = '', status } of message.refused ?? []) {
          log.warn({ namespace, name, code: status.code }, `a report was refused: ${status.message ?? ''}`);
        }
        this.wake();
        return;
      case 'refused':
        this.refused(message.status);
        return;
    }
  }

  /** What was lost before it comes with the next hello, and this with it. */
  private isNext({ number = this.lastNumber + 1 }: Delta): boolean {
    if (number !== this.lastNumber + 1) {
      this.kept.drop(`delta ${number} came after ${this.lastNumber}: dialling again for what is missing`);
      return false;
    }
    this.lastNumber = number;
    return true;
  }

  private collect(message: Delta): void {
    this.unfinished.push(message);
    if (!message.more) this.gather();
  }

  /** Deltas that were read from the socket together are one transaction: the disk is waited for once. */
  private gather(): void {
    this.gathered.push(this.unfinished);
    this.unfinished = [];
    if (this.gathered.length === 1) queueMicrotask(() => this.applyDeltas());
  }

  private applyDeltas(): void {
    const deltas = this.gathered;
    const last = deltas.at(-1)?.at(-1);
    this.gathered = [];
    if (this.epoch === undefined || last === undefined) return;
    const touched = this.parts.replica.apply(this.epoch, deltas);
    this.send({ type: 'acknowledge', epoch: this.epoch, revision: last.revision });
    if (touched.parts.size > 0) this.parts.onTouched(touched);
  }

  private sayAgainLater(): void {
    if (this.againDue) return;
    this.againDue = true;
    this.parts.timers.after(this.againMs, () => {
      this.againDue = false;
      this.againMs = Math.min(2 * this.againMs, MOST_AGAIN_MS);
      const uids = new Set<string | undefined>();
      for (const { metadata } of this.parts.replica.pods()) {
        // A static pod is known to the cluster by its mirror, which names it.
        uids.add(metadata.uid).add(metadata.annotations?.[MIRROR_ANNOTATION]);
      }
      this.parts.reports.sayAgain((uid) => uids.has(uid));
      this.wake();
    });
  }

  private refused(status: Status): void {
    this.kept.answered();
    const { code = 500, reason = 'InternalError', message = 'refused' } = status;
    this.parts.log.error({ code, reason }, `the cluster refuses this minion: ${message}`);
    this.parts.onVerdict(new StatusError(code, reason, message, status.details));
  }

  private flush(): void {
    if (!this.welcomed) return;
    const report = this.parts.reports.take();
    if (report === undefined) return;
    this.send(report);
    this.kept.awaits('a report');
  }

  private send(message: UpMessage): void {
    this.socket?.send(JSON.stringify(message));
  }
}
