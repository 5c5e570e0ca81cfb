/**
 * The synchronous core of a cluster on Node's SQLite: store, registry, admission, controllers and scheduler, as the Cluster
 * object composes them, without sockets and HTTP. The clock stands until it is moved.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import { type ControlPlane, createControlPlane } from '../../worker/control-plane.ts';
import type { CertificateAuthority } from '../../worker/controllers/certificate-authority.ts';
import type { Objects } from '../../worker/registry/objects.ts';
import type { Session } from '../../worker/registry/session.ts';
import type { AskWebhooks } from '../../worker/registry/webhook-journal.ts';
import type { ResourceDefinition } from '../../worker/resources/definition.ts';
import type { Change, Synchronous } from '../../worker/store/store.ts';
import { SYSTEM, type UserInfo } from '../../worker/users.ts';
import { type TestClock, testClock } from './clock.ts';
import { type NodeSql, nodeSql } from './node-sql.ts';
import { seededRandom } from './seeded-random.ts';

export interface TestCluster {
  plane: ControlPlane;
  clock: TestClock;
  /** Every change, in order. */
  changes: Change[];
  log: Record<string, unknown>[];
  do<T>(body: (objects: Objects) => Synchronous<T>): T;
  /** As a caller of the API, below authorization. */
  as<T>(user: UserInfo, body: (session: Session) => Synchronous<T>, dryRun?: boolean, manager?: string): T;
  definition(groupResource: string): ResourceDefinition;
  /** Webhooks have answered what they were asked, and what that brought about is done. */
  answered(): Promise<void>;
  /** What is stored, or undefined. */
  stored<T extends KubeObject>(groupResource: string, namespace: string, name: string): T | undefined;
}

export interface ClusterOptions {
  seed?: number;
  sql?: NodeSql;
  /** Issues client certificates. */
  authority?: CertificateAuthority;
  /** Plays all webhooks. */
  ask?: AskWebhooks;
}

export function testCluster(options: ClusterOptions = {}): TestCluster {
  const random = seededRandom(options.seed ?? 1);
  const clock = testClock();
  const log: Record<string, unknown>[] = [];
  const changes: Change[] = [];
  const steps: Promise<void>[] = [];
  let uids = 0;
  const plane = createControlPlane({
    sql: options.sql ?? nodeSql(),
    nowMs: () => clock.nowMs,
    random: random.next,
    newUid: () => `00000000-0000-4000-8000-${String(++uids).padStart(12, '0')}`,
    liveness: {
      connected: () => true,
      count: () => 0,
      minions: () => new Map(),
      lastSeenMs: () => clock.nowMs,
      drop: () => {},
    },
    cluster: {
      name: 'default',
      apiUrl: 'https://127.0.0.1:6443',
      publicUrl: 'http://{name}.{namespace}.localhost:8080',
      caCertificate: undefined,
      authority: () => options.authority,
    },
    log: (entry) => log.push(entry),
    ...(options.ask === undefined ? {} : { webhooks: { ask: options.ask, follow: (step) => steps.push(step) } }),
  });
  plane.store.onCommit((batch) => changes.push(...batch));
  plane.bootstrap();
  return {
    plane,
    clock,
    changes,
    log,
    do: (body) => plane.registry.asSystem((objects) => body(objects)),
    as: (user, body, dryRun = false, manager = 'test') => plane.registry.transact({ user, dryRun, manager }, body),
    definition(groupResource) {
      const found = plane.catalog().findGroupResource(groupResource);
      if (found === undefined) throw new Error(`${groupResource} is not served`);
      return found;
    },
    async answered() {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) await step;
    },
    stored<T extends KubeObject>(resource: string, namespace: string, name: string): T | undefined {
      const found = plane.store.get({ resource, namespace, name });
      return found === undefined ? undefined : (JSON.parse(found.text) as T);
    },
  };
}

export { SYSTEM };
