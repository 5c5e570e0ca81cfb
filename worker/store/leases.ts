/**
 * Leases of the etcd keyspace. When a lease ends, its keys are deleted in one revision. Nothing polls: each lease has a
 * deadline in the store's work table, which is only moved when it comes (a keepalive writes one row, the lease's own).
 * Source: etcd 3.5, server/lease/lessor.go.
 */

import { type Bytes, bytesOf, type Keyspace, type KeyWrite, NO_LEASE } from './keyspace.ts';
import { leaseExists, leaseNotFound, leaseTtlTooLarge } from './keyspace-error.ts';

/** The work queue of lease deadlines; keys are lease numbers. */
export const LEASE_QUEUE = 'etcd-lease';
/** etcd's own least, with its default election timeout. */
const MIN_TTL_SECONDS = 2;
const MAX_TTL_SECONDS = 9_000_000_000;

export interface Lease {
  id: string;
  ttlSeconds: number;
  expiresMs: number;
}

export class Leases {
  readonly #keyspace: Keyspace;
  readonly #newId: () => string;

  /** @param newId a positive 63-bit number, decimal, at random. */
  constructor(keyspace: Keyspace, newId: () => string) {
    this.#keyspace = keyspace;
    this.#newId = newId;
  }

  find(id: string): Lease | undefined {
    return this.#keyspace.sql.all<Lease>(
      'SELECT id, ttl AS ttlSeconds, expires_ms AS expiresMs FROM etcd_leases WHERE id = ?',
      id,
    )[0];
  }

  /** Soonest to end first. */
  list(): Lease[] {
    return this.#keyspace.sql.all<Lease>(
      'SELECT id, ttl AS ttlSeconds, expires_ms AS expiresMs FROM etcd_leases ORDER BY expires_ms',
    );
  }

  keysOf(id: string): Bytes[] {
    const rows = this.#keyspace.sql.all<{ key: Uint8Array }>(
      'SELECT key FROM etcd_attached WHERE lease = ? ORDER BY key',
      id,
    );
    return rows.map((row) => bytesOf(row.key));
  }

  /** @throws leaseNotFound */
  require(id: string): void {
    if (id !== NO_LEASE && this.find(id) === undefined) throw leaseNotFound();
  }

  /** @param id '0': the keyspace chooses. */
  grant(id: string, ttlSeconds: number): Lease {
    if (ttlSeconds > MAX_TTL_SECONDS) throw leaseTtlTooLarge();
    const ttl = Math.max(ttlSeconds, MIN_TTL_SECONDS);
    return this.#keyspace.store.transact((transaction) => {
      let chosen = id;
      while (chosen === NO_LEASE || (id === NO_LEASE && this.find(chosen) !== undefined)) chosen = this.#newId();
      if (this.find(chosen) !== undefined) throw leaseExists();
      const lease: Lease = { id: chosen, ttlSeconds: ttl, expiresMs: transaction.nowMs + ttl * 1000 };
      this.#keyspace.sql.run(
        'INSERT INTO etcd_leases (id, ttl, expires_ms) VALUES (?, ?, ?)',
        lease.id,
        lease.ttlSeconds,
        lease.expiresMs,
      );
      transaction.enqueue(LEASE_QUEUE, lease.id, lease.expiresMs);
      return lease;
    });
  }

  /** Seconds from now; undefined when there is no such lease (any more). */
  keepAlive(id: string): number | undefined {
    return this.#keyspace.transact((write) => {
      const lease = this.find(id);
      if (lease === undefined) return undefined;
      if (lease.expiresMs <= write.nowMs) {
        this.#end(write, id);
        return undefined;
      }
      const expiresMs = write.nowMs + lease.ttlSeconds * 1000;
      this.#keyspace.sql.run('UPDATE etcd_leases SET expires_ms = ? WHERE id = ?', expiresMs, id);
      return lease.ttlSeconds;
    });
  }

  revoke(id: string): void {
    this.#keyspace.transact((write) => {
      if (this.find(id) === undefined) throw leaseNotFound();
      this.#end(write, id);
    });
  }

  /** A deadline came: ends the lease, or waits on when it was kept alive meanwhile. */
  expire(id: string): void {
    this.#keyspace.transact((write) => {
      const lease = this.find(id);
      if (lease === undefined) return;
      if (lease.expiresMs <= write.nowMs) this.#end(write, id);
      else this.#keyspace.store.transact((transaction) => transaction.enqueue(LEASE_QUEUE, id, lease.expiresMs));
    });
  }

  #end(write: KeyWrite, id: string): void {
    for (const key of this.keysOf(id)) this.#keyspace.deleteRange(write, { key, end: undefined });
    this.#keyspace.sql.run('DELETE FROM etcd_leases WHERE id = ?', id);
    this.#keyspace.store.finishWork({ queue: LEASE_QUEUE, key: id, dueMs: 0, attempts: 0 });
  }
}
