/** The whole Worker as a client sees it, inside workerd: requests with a token, and the objects behind them evicted at will. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import type { Status } from '../../../shared/api/meta.ts';
import type { Env } from '../../../worker/env.ts';
import { adminClaims, mintToken, type TokenClaims } from '../../../worker/http/tokens.ts';
import { objectSql } from '../../../worker/store/object-sql.ts';
import { SqliteStore } from '../../../worker/store/sqlite-store.ts';

export const bindings = env as unknown as Env;
export const HOST = 'https://api.test';

export interface Ask {
  token?: string | undefined;
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
}

export const tokenOf = (claims: TokenClaims, nowMs = Date.now()): Promise<string> =>
  mintToken(bindings.ROOT_SECRET, claims, nowMs);

/** One cluster of its own, so that tests do not meet. */
export class TestApi {
  readonly cluster: string;
  #admin: string | undefined;

  constructor(cluster: string) {
    this.cluster = cluster;
  }

  get base(): string {
    return `${HOST}/clusters/${this.cluster}`;
  }

  async fetch(method: string, path: string, ask: Ask = {}): Promise<Response> {
    this.#admin ??= await tokenOf(adminClaims(this.cluster));
    const token = 'token' in ask ? ask.token : this.#admin;
    const body = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...ask.headers,
    };
    return (exports as { default: Fetcher }).default.fetch(`${this.base}${path}`, {
      method,
      headers,
      body,
      redirect: 'manual',
    });
  }

  /** The answer's code; its body is read, for an answer that is left half-way keeps the object from being evicted. */
  async code(method: string, path: string, ask: Ask = {}): Promise<number> {
    const response = await this.fetch(method, path, ask);
    await response.arrayBuffer();
    return response.status;
  }

  /** @throws with the answer's text for anything but 2xx. */
  async json<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
    const response = await this.fetch(method, path, ask);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** The Status of an answer that is none of success. */
  async refusal(method: string, path: string, ask: Ask = {}): Promise<Status & { http: number }> {
    const response = await this.fetch(method, path, ask);
    const text = await response.text();
    if (response.ok) throw new Error(`${method} ${path} was not refused: ${response.status} ${text}`);
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith('application/json')) throw new Error(`${method} ${path}: ${response.status} ${type} ${text}`);
    return { http: response.status, ...(JSON.parse(text) as Status) };
  }

  /** Drops the whole history of the cluster. */
  async compact(): Promise<void> {
    await runInDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName(this.cluster)), (_, state) => {
      const store = new SqliteStore(objectSql(state.storage), { clock: Date.now, newEpoch: () => 'unused' });
      while (store.compact(store.revision));
    });
  }

  /** Drops the Cluster object from memory; its sockets stay. */
  async evict(): Promise<void> {
    await evictDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName(this.cluster)));
  }
}
