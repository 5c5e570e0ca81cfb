/**
 * The minion's own copy of the objects that it needs, on its disk: pods, DNS and Services come back from it after a reboot
 * with no network at all. One delta is one SQLite transaction, and only what is committed is acknowledged. Who sends
 * deltas is `control.ts`.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ConfigMap, Node, Pod, Secret, Service } from '../../shared/api/core.ts';
import type { EndpointSlice } from '../../shared/api/discovery.ts';
import type { Delta, LinkedObject, LinkedResource, Put, Removal, Welcome } from '../../shared/link/protocol.ts';
import type { Replica, ReplicaPart, Touched } from './link.ts';
import { ServiceObjects, type ServiceParts } from './service-objects.ts';

const SLICES = 'endpointslices.discovery.k8s.io';

const PART_OF: Record<LinkedResource, ReplicaPart> = {
  pods: 'pods',
  configmaps: 'references',
  secrets: 'references',
  services: 'services',
  [SLICES]: 'services',
  nodes: 'nodes',
};

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (resource, namespace, name)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;

/** Hears of each object that is another one now. */
type Note = (resource: LinkedResource, change: Put | Removal) => void;

export class SqliteReplica implements Replica {
  private readonly database: DatabaseSync;
  /** What the disk has of them. */
  private readonly serviceObjects = new ServiceObjects();

  /** @param file path of the database, or ':memory:'. Only root may read it: it holds secrets. */
  constructor(file: string) {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.database = new DatabaseSync(file);
    if (file !== ':memory:') chmodSync(file, 0o600);
    this.database.exec('PRAGMA journal_mode = WAL');
    // Acknowledged means on disk, power cut included.
    this.database.exec('PRAGMA synchronous = FULL');
    this.database.exec(SCHEMA);
    for (const each of this.all<Service>('services')) this.serviceObjects.put(each);
    for (const each of this.all<EndpointSlice>(SLICES)) this.serviceObjects.put(each);
  }

  pods(): Pod[] {
    return this.all<Pod>('pods');
  }
  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.one<ConfigMap>('configmaps', namespace, name);
  }
  secret(namespace: string, name: string): Secret | undefined {
    return this.one<Secret>('secrets', namespace, name);
  }
  services(): Service[] {
    return this.serviceObjects.services;
  }
  serviceNames(): string[] {
    return this.serviceObjects.names;
  }
  serviceParts(name: string): ServiceParts {
    return this.serviceObjects.partsOf(name);
  }
  nodes(): Node[] {
    return this.all<Node>('nodes');
  }
  welcome(): Welcome | undefined {
    const text = this.fact('welcome');
    return text === undefined ? undefined : (JSON.parse(text) as Welcome);
  }

  /** What this copy is up to; undefined before the first delta. */
  position(): { epoch: string; revision: number } | undefined {
    const text = this.fact('position');
    return text === undefined ? undefined : (JSON.parse(text) as { epoch: string; revision: number });
  }

  /** True when it says something new. */
  setWelcome(welcome: Welcome): boolean {
    const text = JSON.stringify(welcome);
    if (this.fact('welcome') === text) return false;
    this.setFact('welcome', text);
    return true;
  }

  /** Deltas in order, each with all its parts. @returns what they touched. On disk when it returns. */
  apply(epoch: string, deltas: readonly (readonly Delta[])[]): Touched {
    const parts = new Set<ReplicaPart>();
    const changed: (Put | Removal)[] = [];
    const note = (resource: LinkedResource, change: Put | Removal) => {
      parts.add(PART_OF[resource]);
      if (PART_OF[resource] === 'services') changed.push(change);
    };
    this.database.exec('BEGIN IMMEDIATE');
    try {
      for (const delta of deltas) this.write(epoch, delta, note);
      this.database.exec('COMMIT');
    } catch (error) {
      this.database.exec('ROLLBACK');
      throw error;
    }
    return { parts, services: new Set(changed.flatMap((change) => this.remember(change))) };
  }

  close(): void {
    this.database.close();
  }

  private write(epoch: string, delta: readonly Delta[], note: Note): void {
    if (delta[0]?.full) this.forgetAllBut(delta, note);
    for (const part of delta) {
      for (const put of part.puts) this.put(put, note);
      for (const removal of part.removals) this.remove(removal, note);
    }
    const last = delta.at(-1);
    if (last !== undefined) this.setFact('position', JSON.stringify({ epoch, revision: last.revision }));
  }

  private remember(change: Put | Removal): string[] {
    if ('object' in change) return this.serviceObjects.put(change.object as Service | EndpointSlice);
    return change.resource === SLICES
      ? this.serviceObjects.removeSlice(change)
      : this.serviceObjects.removeService(change);
  }

  private forgetAllBut(parts: readonly Delta[], note: Note): void {
    const kept = new Set<string>();
    for (const part of parts) for (const { resource, object } of part.puts) kept.add(keyText(resource, object));
    const rows = this.database.prepare('SELECT resource, namespace, name FROM objects').all() as unknown as {
      resource: LinkedResource;
      namespace: string;
      name: string;
    }[];
    for (const row of rows) {
      if (!kept.has(`${row.resource} ${row.namespace}/${row.name}`)) this.remove({ ...row, uid: '' }, note);
    }
  }

  private put(put: Put, note: Note): void {
    const { resource, object } = put;
    const { namespace = '', name } = object.metadata;
    const { changes } = this.database
      .prepare(
        `INSERT INTO objects (resource, namespace, name, text) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET text = excluded.text WHERE text <> excluded.text`,
      )
      .run(resource, namespace, name, JSON.stringify(object));
    if (Number(changes) > 0) note(resource, put);
  }

  private remove(removal: Removal, note: Note): void {
    const { resource, namespace, name } = removal;
    const { changes } = this.database
      .prepare('DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?')
      .run(resource, namespace, name);
    if (Number(changes) > 0) note(resource, removal);
  }

  private all<T extends LinkedObject>(resource: LinkedResource): T[] {
    const rows = this.database
      .prepare('SELECT text FROM objects WHERE resource = ? ORDER BY namespace, name')
      .all(resource) as unknown as { text: string }[];
    return rows.map((row) => JSON.parse(row.text) as T);
  }

  private one<T extends LinkedObject>(resource: LinkedResource, namespace: string, name: string): T | undefined {
    const row = this.database
      .prepare('SELECT text FROM objects WHERE resource = ? AND namespace = ? AND name = ?')
      .get(resource, namespace, name) as { text: string } | undefined;
    return row === undefined ? undefined : (JSON.parse(row.text) as T);
  }

  private fact(name: string): string | undefined {
    const row = this.database.prepare('SELECT value FROM facts WHERE name = ?').get(name) as
      | { value: string }
      | undefined;
    return row?.value;
  }

  private setFact(name: string, value: string): void {
    this.database
      .prepare('INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
      .run(name, value);
  }
}

const keyText = (resource: LinkedResource, object: LinkedObject) =>
  `${resource} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;
