/**
 * The link as the rest of the agent sees it: the replica to read, the reporter to write to, both sockets kept up behind it.
 * Composition only; each part is in the file named after it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigMap, Event, Node, Pod, PodStatus, Secret, Service } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { DATA_PATH, LINK_PATH, type Report, type Welcome } from '../../shared/link/protocol.ts';
import type { PodStreams } from '../pods/pods.ts';
import { Control } from './control.ts';
import { DataSocket } from './data.ts';
import { dialler } from './dial.ts';
import { forgetToken, joinCluster, knownToken } from './join.ts';
import { SYSTEM_TIMERS, type Timers } from './kept-socket.ts';
import type { Link, LinkSettings, ReplicaListener, Touched } from './link.ts';
import type { LinkLog } from './log.ts';
import { SqliteReplica } from './replica.ts';
import { ReportBox } from './reports.ts';
import type { ServiceParts } from './service-objects.ts';
import { answering } from './streams.ts';

const JOIN_RETRY_MS = 3000;
/** Answers after which asking again without a change is in vain. */
const FINAL_CODES = new Set([400, 401, 403, 409]);

export class MinionLink implements Link {
  private readonly settings: LinkSettings;
  private readonly log: LinkLog;
  private readonly timers: Timers;
  private readonly replica: SqliteReplica;
  private readonly reports = new ReportBox();
  private readonly listeners: ReplicaListener[] = [];
  private readonly verdict = Promise.withResolvers<void>();
  private token = '';
  private control: Control | undefined;
  private data: DataSocket | undefined;
  private staticPods: readonly Draft<Pod>[] | undefined;
  private stopped = false;

  constructor(settings: LinkSettings, log: LinkLog, timers: Timers = SYSTEM_TIMERS) {
    this.settings = { ...settings, server: settings.server.replace(/\/+$/, '') };
    this.log = log;
    this.timers = timers;
    mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
    this.replica = new SqliteReplica(join(settings.dataDir, 'replica.db'));
    // Whoever does not ask is not to be ended by the answer.
    this.verdict.promise.catch(() => undefined);
  }

  pods(): Pod[] {
    return this.replica.pods();
  }
  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.replica.configMap(namespace, name);
  }
  secret(namespace: string, name: string): Secret | undefined {
    return this.replica.secret(namespace, name);
  }
  services(): Service[] {
    return this.replica.services();
  }
  serviceNames(): string[] {
    return this.replica.serviceNames();
  }
  serviceParts(name: string): ServiceParts {
    return this.replica.serviceParts(name);
  }
  nodes(): Node[] {
    return this.replica.nodes();
  }
  welcome(): Welcome | undefined {
    return this.replica.welcome();
  }

  onChange(listener: ReplicaListener): void {
    this.listeners.push(listener);
  }

  podStatus(pod: { namespace: string; name: string; uid: string }, status: PodStatus, gone: boolean): void {
    this.reports.podStatus(pod, status, gone);
    this.control?.wake();
  }
  event(event: Draft<Event>): void {
    this.reports.event(event);
    this.control?.wake();
  }
  mirrors(pods: Draft<Pod>[]): void {
    this.staticPods = pods;
    this.reports.setMirrors(pods);
    this.control?.wake();
  }
  nodeChanged(change: NonNullable<Report['node']>): void {
    this.reports.nodeChanged(change);
    this.control?.wake();
  }

  connected(): boolean {
    return this.control?.welcomed ?? false;
  }

  ready(): Promise<void> {
    return this.verdict.promise;
  }

  start(streams: PodStreams): void {
    this.enter().then(
      () => {
        if (!this.stopped) this.dial(streams);
      },
      (error: unknown) => this.verdict.reject(error),
    );
  }

  async stop(goodbye?: string): Promise<void> {
    this.stopped = true;
    await Promise.all([this.control?.stop(goodbye), this.data?.stop()]);
    this.replica.close();
  }

  /** Gets a token, joining where that is needed, for as long as it takes. @throws StatusError when the cluster says no. */
  private async enter(): Promise<void> {
    while (!this.stopped) {
      try {
        this.token = knownToken(this.settings) ?? (await joinCluster(this.settings));
        return;
      } catch (error) {
        if (error instanceof StatusError && FINAL_CODES.has(error.code)) throw error;
        const why = error instanceof Error ? error.message : String(error);
        this.log.warn({ retryMs: JOIN_RETRY_MS }, `cannot join yet: ${why}`);
        await new Promise<void>((resolve) => this.timers.after(JOIN_RETRY_MS, resolve));
      }
    }
  }

  private dial(streams: PodStreams): void {
    const { settings, timers, log } = this;
    const { endpoints } = settings;
    const to = (path: string) => dialler({ server: settings.server, path, token: () => this.token, ca: settings.ca });
    const random = Math.random;
    this.control = new Control({
      settings,
      dial: to(LINK_PATH),
      timers,
      random,
      log,
      replica: this.replica,
      reports: this.reports,
      onTouched: (touched) => this.touched(touched),
      onVerdict: (error) => {
        if (error === undefined) this.verdict.resolve();
        else if (FINAL_CODES.has(error.code)) this.verdict.reject(error);
      },
      onHttpStatus: (status) => this.httpStatus(status),
    });
    this.data = new DataSocket({
      dial: to(DATA_PATH),
      timers,
      random,
      log,
      answer: answering({ pods: streams, endpoints, log }),
    });
    this.control.start();
    this.data.start();
  }

  private httpStatus(status: number): void {
    if (status !== 401) return;
    // A kept token may be of a cluster that was purged since: the join token, if there is one, gets a new one.
    forgetToken(this.settings);
    if (knownToken(this.settings) !== undefined) {
      this.verdict.reject(new StatusError(401, 'Unauthorized', 'the cluster does not accept the token of this minion'));
      return;
    }
    this.enter().catch((error: unknown) => this.verdict.reject(error));
  }

  private touched(touched: Touched): void {
    if (touched.parts.has('pods')) this.mendMirrors();
    for (const listener of this.listeners) listener(touched);
  }

  /** A mirror pod that somebody deleted is made again: static pods end with their file, not with their mirror. */
  private mendMirrors(): void {
    const { staticPods } = this;
    if (staticPods === undefined) return;
    const whole = new Set(
      this.replica
        .pods()
        .filter((pod) => pod.metadata.annotations?.[MIRROR_ANNOTATION] && pod.metadata.deletionTimestamp === undefined)
        .map((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`),
    );
    const isWhole = ({ metadata }: Draft<Pod>) => whole.has(`${metadata.namespace ?? 'default'}/${metadata.name}`);
    if (staticPods.every(isWhole)) return;
    this.reports.setMirrors(staticPods);
    this.control?.wake();
  }
}
