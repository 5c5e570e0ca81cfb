/**
 * Time as the test says, for everything in this isolate: `Date` stands until it is moved, alarms run when their time has
 * come, and the platform's word on when a socket last had a heartbeat answered is in the same time. The object is dropped
 * from memory between any two steps.
 */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { vi } from 'vitest';
import { Cluster } from '../../../worker/cluster.ts';
import { Meter } from '../../support/meter.ts';
import { bindings, type TestApi } from './api.ts';

/** The platform keeps real time: an alarm that is due in its future does not ring by itself. */
const AHEAD_MS = 365 * 24 * 3600 * 1000;

const nodeOf = (tags: readonly string[]): string | undefined =>
  tags.find((tag) => tag.startsWith('n:'))?.slice('n:'.length);

export class SimulatedCluster {
  readonly meter: Meter;
  private readonly api: TestApi;
  private readonly undo: (() => void)[];
  /** When each minion's last heartbeat was answered. */
  private readonly heard = new Map<string, number>();

  private constructor(api: TestApi, meter: Meter, undo: (() => void)[]) {
    this.api = api;
    this.meter = meter;
    this.undo = undo;
  }

  static async start(api: TestApi): Promise<SimulatedCluster> {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + AHEAD_MS });
    return runInDurableObject(stubOf(api), (_, state) => {
      const { storage } = state;
      const meter = new Meter({
        object: Cluster.prototype,
        sql: Object.getPrototypeOf(storage.sql),
        storage: Object.getPrototypeOf(storage),
        kv: Object.getPrototypeOf(storage.kv),
      });
      const undo: (() => void)[] = [];
      const cluster = new SimulatedCluster(api, meter, undo);
      const prototype = Object.getPrototypeOf(state) as DurableObjectState;
      const { getWebSocketAutoResponseTimestamp } = prototype;
      prototype.getWebSocketAutoResponseTimestamp = function (socket) {
        const answered = getWebSocketAutoResponseTimestamp.call(this, socket);
        const heardMs = cluster.heard.get(nodeOf(this.getTags(socket)) ?? '');
        return answered === null || heardMs === undefined ? null : new Date(heardMs);
      };
      undo.push(() => {
        prototype.getWebSocketAutoResponseTimestamp = getWebSocketAutoResponseTimestamp;
      });
      return cluster;
    });
  }

  /** A heartbeat of this minion was answered now. */
  heardFrom(node: string): void {
    this.heard.set(node, Date.now());
  }

  /** Moves the clock on; what the object's alarm was set for is done at its time. Returns how many alarms ran. */
  async pass(ms: number): Promise<number> {
    const until = Date.now() + ms;
    let alarms = 0;
    for (;;) {
      const dueMs = await this.alarmMs();
      if (dueMs === null || dueMs > until) break;
      vi.setSystemTime(Math.max(Date.now(), dueMs));
      await runDurableObjectAlarm(stubOf(this.api));
      alarms++;
      await this.api.evict();
    }
    vi.setSystemTime(until);
    return alarms;
  }

  /** What the object's alarm is set for. */
  alarmMs(): Promise<number | null> {
    return runInDurableObject(stubOf(this.api), (_, state) => state.storage.getAlarm());
  }

  dispose(): void {
    this.meter.dispose();
    for (const step of this.undo.splice(0)) step();
    vi.useRealTimers();
  }
}

const stubOf = (api: TestApi) => bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster));
