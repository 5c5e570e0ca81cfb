/** How reconciles wait for webhooks, on Node's SQLite; over the whole Worker it is `workerd/controller-webhooks.test.ts`. */
import { describe, expect, test } from 'vitest';
import {
  type RuleWithOperations,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../../shared/api/admissionregistration.ts';
import { DEPLOYMENTS, type Deployment, REPLICA_SETS } from '../../../shared/api/apps.ts';
import { PODS } from '../../../shared/api/core.ts';
import type { AskWebhooks } from '../../../worker/registry/webhook-journal.ts';
import { type TestCluster, testCluster } from '../../support/cluster.ts';
import { nodeSql } from '../../support/node-sql.ts';

const MINUTE_MS = 60_000;
const allow: AskWebhooks = async (questions, journal) => {
  for (const question of questions) {
    if (question.type !== 'conversion') journal.write(question, { response: { allowed: true } });
  }
};

function configure(cluster: TestCluster, rule: Partial<RuleWithOperations>): void {
  cluster.do((objects) =>
    objects.create(VALIDATING_WEBHOOK_CONFIGURATIONS, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'judge' },
      webhooks: [
        {
          name: 'judge.example.com',
          clientConfig: { url: 'https://judge.example.com' },
          rules: [{ operations: ['CREATE'], apiGroups: ['*'], apiVersions: ['*'], resources: ['pods'], ...rule }],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    }),
  );
}

const labels = { app: 'web' };
const workload = (kind: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } },
  },
});
const podsOf = (cluster: TestCluster) => cluster.do((objects) => objects.list(PODS, { namespace: 'default' })).length;

describe('a reconcile that webhooks judge', () => {
  test('asks about one write first, then about ever more of its sort together', async () => {
    const rounds: number[] = [];
    const cluster = testCluster({
      ask: async (questions, journal) => {
        rounds.push(questions.length);
        await allow(questions, journal);
      },
    });
    configure(cluster, {});
    cluster.do((objects) => objects.create(REPLICA_SETS, workload('ReplicaSet', 10)));
    expect(podsOf(cluster)).toBe(0);
    await cluster.answered();
    expect(podsOf(cluster)).toBe(10);
    expect(rounds).toEqual([1, 2, 4, 3]);
    expect(cluster.log).toEqual([]);
  });

  test('is asked about again when the answers were lost with the memory that waited for them', async () => {
    const sql = nodeSql();
    const before = testCluster({ sql, ask: () => new Promise(() => undefined) });
    configure(before, {});
    before.do((objects) => objects.create(REPLICA_SETS, workload('ReplicaSet', 2)));
    const after = testCluster({ sql, seed: 2, ask: allow });
    after.clock.pass(MINUTE_MS - 1);
    after.plane.drain();
    await after.answered();
    expect(podsOf(after)).toBe(0);
    after.clock.pass(1);
    after.plane.drain();
    await after.answered();
    expect(podsOf(after)).toBe(2);
  });

  test('comes to its end though a second passes with each answer', async () => {
    let asked = 0;
    const cluster = testCluster({
      ask: async (questions, journal) => {
        asked += questions.length;
        cluster.clock.pass(1000);
        await allow(questions, journal);
      },
    });
    configure(cluster, { operations: ['*'], resources: ['deployments/status'] });
    cluster.do((objects) => objects.create(DEPLOYMENTS, workload('Deployment', 1)));
    await cluster.answered();
    const { status } = cluster.stored<Deployment>('deployments.apps', 'default', 'web') ?? {};
    expect(status?.conditions?.map((each) => each.type).sort()).toEqual(['Available', 'Progressing']);
    expect(asked).toBeLessThan(10);
    expect(cluster.log).toEqual([]);
  });

  test('goes on in a minute when its webhooks could not even be asked', async () => {
    let works = false;
    const cluster = testCluster({
      ask: async (questions, journal) => {
        if (!works) throw new Error('no way out');
        await allow(questions, journal);
      },
    });
    configure(cluster, {});
    cluster.do((objects) => objects.create(REPLICA_SETS, workload('ReplicaSet', 1)));
    await cluster.answered();
    expect(cluster.log).toMatchObject([{ level: 'error', message: 'webhooks could not be asked' }]);
    works = true;
    cluster.clock.pass(MINUTE_MS);
    cluster.plane.drain();
    await cluster.answered();
    expect(podsOf(cluster)).toBe(1);
  });

  test('is one of a controller that is judged no more when no webhook is left', async () => {
    const cluster = testCluster({ ask: async () => expect.fail('nobody is to be asked') });
    configure(cluster, {});
    cluster.do((objects) => objects.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, '', 'judge'));
    cluster.do((objects) => objects.create(REPLICA_SETS, workload('ReplicaSet', 3)));
    expect(podsOf(cluster)).toBe(3);
    expect(cluster.log).toEqual([]);
  });
});
