/**
 * The synchronous core of a cluster, without sockets and HTTP: store, registry, admission, controllers, scheduler. The
 * Durable Object runs it on its SQLite, tests on Node's.
 */
import { CUSTOM_RESOURCE_DEFINITIONS } from '../shared/api/apiextensions.ts';
import type { Identity } from '../shared/api/meta.ts';
import { ADMISSION } from './admission/catalog.ts';
import { createControllers } from './controllers/catalog.ts';
import type { Controller } from './controllers/controller.ts';
import { createRunner, type Runner, type RunnerWebhooks } from './controllers/runner.ts';
import type { Liveness, Surroundings } from './controllers/surroundings.ts';
import { bootstrap, bootstrapRoles, hasDefaultRoles } from './registry/bootstrap.ts';
import { bootstrapDefaults, hasDefaultObjects } from './registry/bootstrap-defaults.ts';
import { createCustomCatalog } from './registry/custom.ts';
import { createRegistry, type Registry } from './registry/registry.ts';
import { type Catalog, catalogOf } from './resources/catalog.ts';
import { createCandidates } from './scheduler/candidates.ts';
import { createScheduler } from './scheduler/scheduler.ts';
import { KeyspaceRpc } from './store/keyspace-rpc.ts';
import { LEASE_QUEUE } from './store/leases.ts';
import { RESTORE_QUEUE, Restore } from './store/restore.ts';
import type { Sql } from './store/sql.ts';
import { SqliteStore } from './store/sqlite-store.ts';
import type { Store } from './store/store.ts';

export interface ControlPlaneParts {
  sql: Sql;
  nowMs(): number;
  /** In [0, 1). */
  random(): number;
  newUid(): string;
  cluster: Surroundings['cluster'];
  liveness: Liveness;
  log(entry: Record<string, unknown>): void;
  /** How webhooks are asked about what controllers write; without it none is. */
  webhooks?: Pick<RunnerWebhooks, 'ask' | 'follow'>;
}

export interface ControlPlane {
  store: Store;
  registry: Registry;
  runner: Runner;
  /** The etcd surface for applications. */
  keyspace: KeyspaceRpc;
  restore: Restore;
  catalog(): Catalog;
  /** Does what is due, in one transaction, bounded; what is left is in the work table. */
  drain(): void;
  /** Makes what every cluster has, when the store is new. */
  bootstrap(): void;
}

/** Reconciles in the turn of the write that caused them; more waits for the alarm, so that no client waits long. */
const TURN_BUDGET = 200;

export function createControlPlane(parts: ControlPlaneParts): ControlPlane {
  const { nowMs, random, newUid } = parts;
  const store = new SqliteStore(parts.sql, { clock: nowMs, newEpoch: newUid });
  const keyspace = new KeyspaceRpc(store, parts.sql, { clock: nowMs, newLeaseId: () => leaseId(random) });
  const leases: Controller = { name: LEASE_QUEUE, sources: [], reconcile: (id) => keyspace.leases.expire(id) };
  const restore = new Restore(parts.sql, { nowMs, newEpoch: newUid });
  const restores: Controller = {
    name: RESTORE_QUEUE,
    sources: [],
    reconcile(key, context) {
      const againMs = restore.tidy(key);
      if (againMs !== undefined) context.requeueAfter(againMs - context.nowMs);
    },
  };
  const builtIn = catalogOf();
  const custom = createCustomCatalog(store, builtIn);
  const { catalog } = custom;
  const candidates = createCandidates();
  const registry: Registry = createRegistry(
    {
      store,
      catalog,
      admission: ADMISSION,
      random,
      newUid,
      rolledBack() {
        custom.rolledBack();
        candidates.rolledBack();
      },
      changed(change, objects, transaction) {
        if (change.identity.resource === CUSTOM_RESOURCE_DEFINITIONS.resource) custom.changed(transaction);
        runner.changed(change, objects, transaction);
      },
    },
    () => void runner.runDue(nowMs(), TURN_BUDGET),
  );
  const surroundings: Surroundings = {
    resources: () => storedResources(catalog()),
    liveness: parts.liveness,
    cluster: parts.cluster,
  };
  const runner: Runner = createRunner({
    controllers: [...createControllers(surroundings), createScheduler(candidates), leases, restores],
    store,
    transact: (body, manager, more) => registry.asSystem(body, manager, more),
    webhooks: parts.webhooks && { ...parts.webhooks, exist: () => registry.hasWebhooks },
    random,
    log: parts.log,
  });
  store.onCommit(() => candidates.committed());
  return {
    store,
    registry,
    runner,
    keyspace,
    restore,
    catalog,
    drain: () => registry.asSystem(() => undefined),
    bootstrap() {
      // `default` cannot be deleted: where it is, all of this was made, in the same transaction.
      const made = store.get({ resource: 'namespaces', namespace: '', name: 'default' }) !== undefined;
      if (!made) registry.asSystem((objects) => bootstrap(objects), 'kube-apiserver');
      else if (!hasDefaultRoles(store)) registry.asSystem((objects) => bootstrapRoles(objects), 'kube-apiserver');
      if (made && !hasDefaultObjects(store))
        registry.asSystem((objects) => bootstrapDefaults(objects), 'kube-apiserver');
    },
  };
}

const storedIn = new WeakMap<Catalog, readonly Identity[]>();

function storedResources(catalog: Catalog): readonly Identity[] {
  let found = storedIn.get(catalog);
  if (found === undefined) {
    found = catalog.definitions.filter((each) => each.virtual !== true).map((each) => each.identity);
    storedIn.set(catalog, found);
  }
  return found;
}

/** etcd's lease numbers are positive 63-bit integers; two draws of 31 bits make one. */
const leaseId = (random: () => number): string => {
  const draw = () => BigInt(Math.floor(random() * 2 ** 31));
  return String((draw() << 31n) | draw() | 1n);
};
