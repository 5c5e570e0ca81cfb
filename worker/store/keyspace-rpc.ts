/**
 * The etcd v3 JSON surface as functions: a path and a body in, a code and a body out. Watches are streams and not here
 * (`worker/links/keyspace.ts`), nor is HTTP (`worker/http/etcd.ts`).
 */
import { Keyspace } from './keyspace.ts';
import { emptyKey, notServed, RpcError } from './keyspace-error.ts';
import {
  booleanField,
  bytes,
  deleteMessage,
  int64,
  int64Field,
  type Message,
  numberField,
  parseMessage,
  putMessage,
  putRequestOf,
  rangeMessage,
  rangeOf,
  rangeRequestOf,
  repeated,
  txnMessage,
  txnRequestOf,
} from './keyspace-json.ts';
import { answerRange } from './keyspace-range.ts';
import { checkTxn, runTxn } from './keyspace-txn.ts';
import { Leases } from './leases.ts';
import type { Sql } from './sql.ts';
import type { Store } from './store.ts';

export interface KeyspaceOptions {
  /** Milliseconds since the epoch; the same as the store's. */
  clock(): number;
  /** A positive 63-bit number at random, decimal. */
  newLeaseId(): string;
}

export interface RpcAnswer {
  code: number;
  body: Message;
}

/** FNV-1a with 64 bits: etcd's clusters and members have such numbers. */
function numberOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const unit of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(unit)) * 0x100000001b3n);
  return hash.toString();
}

/** Paths of etcd that have no meaning here: refused by name. */
const ELSEWHERE = /^\/v3\/(auth|cluster|maintenance|election|lock)\//;

export class KeyspaceRpc {
  readonly keyspace: Keyspace;
  readonly leases: Leases;
  readonly #clock: () => number;
  readonly #methods: Record<string, (request: Message) => Message>;

  /** @param sql the store's database. */
  constructor(store: Store, sql: Sql, options: KeyspaceOptions) {
    this.#clock = options.clock;
    this.keyspace = new Keyspace(store, sql);
    this.leases = new Leases(this.keyspace, options.newLeaseId);
    const revoke = (request: Message) => this.#revoke(request);
    const timeToLive = (request: Message) => this.#timeToLive(request);
    const list = () => ({ header: this.header(), leases: repeated(this.leases.list().map(({ id }) => ({ ID: id }))) });
    this.#methods = {
      '/v3/kv/range': (request) => this.#range(request),
      '/v3/kv/put': (request) => this.#put(request),
      '/v3/kv/deleterange': (request) => this.#deleteRange(request),
      '/v3/kv/txn': (request) => this.#txn(request),
      '/v3/kv/compaction': (request) => this.#compact(request),
      '/v3/lease/grant': (request) => this.#grant(request),
      '/v3/lease/keepalive': (request) => this.#keepAlive(request),
      '/v3/lease/revoke': revoke,
      '/v3/kv/lease/revoke': revoke,
      '/v3/lease/timetolive': timeToLive,
      '/v3/kv/lease/timetolive': timeToLive,
      '/v3/lease/leases': list,
      '/v3/kv/lease/leases': list,
    };
  }

  /** Any error that is not a refusal is thrown: a bug, and answered as one by HTTP. */
  handle(path: string, body: string): RpcAnswer {
    try {
      const method = Object.hasOwn(this.#methods, path) ? this.#methods[path] : undefined;
      if (method !== undefined) return { code: 200, body: method(parseMessage(body)) };
      if (ELSEWHERE.test(path)) throw notServed(path);
      return { code: 404, body: { error: 'Not Found', code: 5, message: 'Not Found' } };
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { code: error.httpCode, body: error.body };
    }
  }

  header(revision: number = this.keyspace.revision): Message {
    const { epoch } = this.keyspace;
    return {
      cluster_id: numberOf(epoch),
      member_id: numberOf(`${epoch} member`),
      revision: int64(revision),
      raft_term: '1',
    };
  }

  #range(request: Message): Message {
    const asked = rangeRequestOf(request);
    return rangeMessage(this.header(), answerRange(this.keyspace, asked));
  }

  #put(request: Message): Message {
    const asked = putRequestOf(request);
    if (asked.key === '') throw emptyKey();
    const previous = this.keyspace.transact((write) => {
      this.leases.require(asked.lease);
      return this.keyspace.put(write, asked);
    });
    return putMessage(this.header(), booleanField(request, 'prev_kv') ? previous : undefined);
  }

  #deleteRange(request: Message): Message {
    const gone = this.keyspace.transact((write) => this.keyspace.deleteRange(write, rangeOf(request)));
    return deleteMessage(this.header(), gone.length, booleanField(request, 'prev_kv') ? gone : []);
  }

  #txn(request: Message): Message {
    const asked = txnRequestOf(request);
    checkTxn(asked);
    const answer = this.keyspace.transact((write) => runTxn(this.keyspace, this.leases, write, asked));
    return txnMessage(this.header(), answer);
  }

  #compact(request: Message): Message {
    this.keyspace.compact(numberField(request, 'revision'));
    return { header: this.header() };
  }

  #grant(request: Message): Message {
    const lease = this.leases.grant(int64Field(request, 'ID'), numberField(request, 'TTL'));
    return { header: this.header(), ID: int64(lease.id), TTL: int64(lease.ttlSeconds) };
  }

  #keepAlive(request: Message): Message {
    const id = int64Field(request, 'ID');
    const ttl = this.leases.keepAlive(id);
    return { header: this.header(), ID: int64(id), TTL: int64(ttl ?? 0) };
  }

  #revoke(request: Message): Message {
    this.leases.revoke(int64Field(request, 'ID'));
    return { header: this.header() };
  }

  #timeToLive(request: Message): Message {
    const id = int64Field(request, 'ID');
    const lease = this.leases.find(id);
    const nowMs = this.#clock();
    if (lease === undefined || lease.expiresMs <= nowMs) return { header: this.header(), ID: int64(id), TTL: '-1' };
    return {
      header: this.header(),
      ID: int64(id),
      TTL: int64(Math.floor((lease.expiresMs - nowMs) / 1000)),
      grantedTTL: int64(lease.ttlSeconds),
      keys: booleanField(request, 'keys') ? repeated(this.leases.keysOf(id).map((key) => bytes(key))) : undefined,
    };
  }
}
