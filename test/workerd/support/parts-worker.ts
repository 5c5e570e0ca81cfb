/**
 * The Worker under test for parts that need an object's storage but not the whole Cluster: an empty Durable Object, and
 * one that serves the etcd keyspace, behind the routes of the real Worker.
 */
import { DurableObject } from 'cloudflare:workers';
import { etcdRoutes } from '../../../worker/http/etcd.ts';
import { KeyspaceWatches } from '../../../worker/links/keyspace-watches.ts';
import { KeyspaceRpc } from '../../../worker/store/keyspace-rpc.ts';
import { LEASE_QUEUE } from '../../../worker/store/leases.ts';
import { objectSql } from '../../../worker/store/object-sql.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';

export interface PartsEnv {
  BARE: DurableObjectNamespace<Bare>;
  KEYSPACE: DurableObjectNamespace<KeyspaceObject>;
}

export class Bare extends DurableObject<PartsEnv> {}

/** As the Cluster object wires the keyspace; the first part of the path names the object. */
export class KeyspaceObject extends DurableObject<PartsEnv> {
  readonly store: SqliteStore;
  readonly rpc: KeyspaceRpc;
  readonly etcd: KeyspaceWatches;
  /** How far the object's clock is ahead. */
  aheadMs = 0;

  constructor(ctx: DurableObjectState, env: PartsEnv) {
    super(ctx, env);
    const sql = objectSql(ctx.storage);
    const clock = () => Date.now() + this.aheadMs;
    this.store = new SqliteStore(sql, { clock, newEpoch: () => crypto.randomUUID() });
    const newLeaseId = () => String(1 + Math.floor(Math.random() * 2 ** 52));
    this.rpc = new KeyspaceRpc(this.store, sql, { clock, newLeaseId });
    this.etcd = new KeyspaceWatches({ sockets: ctx, rpc: this.rpc });
  }

  override fetch(request: Request): Promise<Response> {
    return this.etcd.fetch(request);
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.etcd.message(socket, message);
  }

  override webSocketClose(socket: WebSocket): void {
    this.etcd.closed(socket);
  }

  /** What the object's alarm does, so much later. */
  runDue(aheadMs: number): number {
    this.aheadMs = aheadMs;
    const nowMs = Date.now() + aheadMs;
    const items = this.store.dueWork(nowMs, 100).filter((item) => item.queue === LEASE_QUEUE);
    for (const item of items) {
      this.store.transact(() => {
        this.store.finishWork(item);
        this.rpc.leases.expire(item.key);
      });
    }
    return items.length;
  }
}

const routes = etcdRoutes<{ Bindings: PartsEnv }>((context, path, init) => {
  const { KEYSPACE } = context.env;
  const name = new URL(context.req.url).hostname;
  return KEYSPACE.get(KEYSPACE.idFromName(name)).fetch(new Request(`https://object${path}`, init));
});

export default routes;
