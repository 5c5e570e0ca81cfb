/**
 * Which pod has which address of this node's subnet, on disk, so that running pods keep theirs over a restart of the agent
 * or of the machine. Addresses go round the subnet before one is used again.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Cidr, contains, formatIPv4, gatewayOf, macOf, parseCidr, parseIPv4 } from './addresses.ts';
import type { PodAttachment } from './network.ts';

export interface HostPort {
  hostPort: number;
  containerPort: number;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  hostIP?: string;
}

export interface Lease {
  ip: string;
  hostPorts: HostPort[];
  /** The pod was seen to have it: an agent that ended in between must connect the pod again. */
  connected: boolean;
}

export class AddressPool {
  readonly #database: DatabaseSync;
  readonly #leases = new Map<string, Lease>();
  readonly #taken = new Set<string>();
  #cidr: Cidr | undefined;
  #last = 0;

  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(join(stateDir, 'addresses.sqlite'));
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS lease (uid TEXT PRIMARY KEY, ip TEXT NOT NULL UNIQUE, host_ports TEXT NOT NULL,
        connected INTEGER NOT NULL) STRICT;
    `);
    for (const row of this.#database.prepare('SELECT * FROM lease ORDER BY rowid').all()) {
      const hostPorts = JSON.parse(String(row.host_ports)) as HostPort[];
      this.#remember(String(row.uid), { ip: String(row.ip), hostPorts, connected: row.connected === 1 });
    }
  }

  /** Addresses of another subnet are forgotten: their pods cannot be reached under them any more. */
  setSubnet(nodeCIDR: string): void {
    const cidr = parseCidr(nodeCIDR);
    if (cidr.size < 4) throw new Error(`${nodeCIDR} has no room for pods`);
    this.#cidr = cidr;
    for (const [uid, lease] of this.#leases) {
      if (!contains(cidr, parseIPv4(lease.ip))) this.release(uid);
    }
    this.#last = Math.max(0, ...[...this.#taken].map((ip) => parseIPv4(ip) - cidr.base));
  }

  get(uid: string): Lease | undefined {
    return this.#leases.get(uid);
  }

  leases(): ReadonlyMap<string, Lease> {
    return this.#leases;
  }

  /** The address that the pod has, or a free one. @throws when the subnet is full. */
  acquire(uid: string, hostPorts: HostPort[]): Lease {
    const current = this.#leases.get(uid);
    if (current !== undefined && JSON.stringify(current.hostPorts) === JSON.stringify(hostPorts)) return current;
    return this.claim(uid, current?.ip ?? this.#free(), hostPorts);
  }

  /** Notes an address that a pod is found to have. */
  claim(uid: string, ip: string, hostPorts: HostPort[]): Lease {
    this.release(uid);
    const lease = { ip, hostPorts, connected: false };
    this.#database
      .prepare('INSERT INTO lease (uid, ip, host_ports, connected) VALUES (?, ?, ?, 0)')
      .run(uid, ip, JSON.stringify(hostPorts));
    this.#remember(uid, lease);
    return lease;
  }

  /** The pod has its address now. Nothing to do when it was released meanwhile. */
  connected(uid: string): void {
    const lease = this.#leases.get(uid);
    if (lease === undefined || lease.connected) return;
    lease.connected = true;
    this.#database.prepare('UPDATE lease SET connected = 1 WHERE uid = ?').run(uid);
  }

  release(uid: string): void {
    const lease = this.#leases.get(uid);
    if (lease === undefined) return;
    this.#database.prepare('DELETE FROM lease WHERE uid = ?').run(uid);
    this.#leases.delete(uid);
    this.#taken.delete(lease.ip);
  }

  clear(): void {
    this.#database.exec('DELETE FROM lease');
    this.#leases.clear();
    this.#taken.clear();
  }

  close(): void {
    this.#database.close();
  }

  attachmentOf(lease: Lease): PodAttachment {
    return { ip: lease.ip, gateway: gatewayOf(this.#subnet()), mac: macOf(lease.ip) };
  }

  owns(ip: string): boolean {
    return contains(this.#subnet(), parseIPv4(ip));
  }

  #subnet(): Cidr {
    if (this.#cidr === undefined) throw new Error('the pod network has not been started');
    return this.#cidr;
  }

  #remember(uid: string, lease: Lease): void {
    this.#leases.set(uid, lease);
    this.#taken.add(lease.ip);
  }

  /** The first free address after the one given last; not the network's, the gateway's or the broadcast address. */
  #free(): string {
    const { base, size } = this.#subnet();
    const usable = size - 3;
    for (let step = 0; step < usable; step += 1) {
      const offset = 2 + ((Math.max(this.#last, 1) - 1 + step) % usable);
      const ip = formatIPv4(base + offset);
      if (this.#taken.has(ip)) continue;
      this.#last = offset;
      return ip;
    }
    throw new Error(`no free pod address in ${formatIPv4(base)}: all ${usable} are in use`);
  }
}
