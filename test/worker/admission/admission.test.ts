import { describe, expect, test } from 'vitest';
import { PODS, type Pod, SERVICE_ACCOUNTS } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { create } from '../../../worker/registry/create.ts';
import { update } from '../../../worker/registry/update.ts';
import type { UserInfo } from '../../../worker/users.ts';
import { testCluster } from '../../support/cluster.ts';

const pod = (name: string, spec: Partial<Pod['spec']> = {}, annotations: Record<string, string> = {}): Draft<Pod> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: { containers: [{ name: 'main', image: 'nginx' }], schedulerName: 'nobody', ...spec },
});
const MINION: UserInfo = { username: 'system:node:m1', groups: ['system:nodes', 'system:authenticated'] };

describe('a pod', () => {
  test('runs as the default service account, with priority 0, and bears a lost node for five minutes', () => {
    const cluster = testCluster();
    const { spec } = cluster.do((objects) => objects.create(PODS, pod('p')));
    expect(spec).toMatchObject({ serviceAccountName: 'default', priority: 0 });
    expect(spec.tolerations).toEqual([
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ]);
  });

  test('that bears everything is left as it is', () => {
    const cluster = testCluster();
    const tolerations = [{ operator: 'Exists' as const }];
    expect(cluster.do((objects) => objects.create(PODS, pod('p', { tolerations }))).spec.tolerations).toEqual(
      tolerations,
    );
  });

  test('takes over the pull secrets of its service account, which must exist', () => {
    const cluster = testCluster();
    cluster.do((objects) =>
      objects.create(SERVICE_ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'puller', namespace: 'default' },
        imagePullSecrets: [{ name: 'registry' }],
      }),
    );
    const created = cluster.do((objects) => objects.create(PODS, pod('p', { serviceAccountName: 'puller' })));
    expect(created.spec.imagePullSecrets).toEqual([{ name: 'registry' }]);
    expect(() => cluster.do((objects) => objects.create(PODS, pod('q', { serviceAccountName: 'ghost' })))).toThrow(
      'pods "q" is forbidden: error looking up service account default/ghost: serviceaccount "ghost" not found',
    );
  });

  test('of an unknown priority class is refused', () => {
    const cluster = testCluster();
    expect(() => cluster.do((objects) => objects.create(PODS, pod('p', { priorityClassName: 'high' })))).toThrow(
      'pods "p" is forbidden: no PriorityClass with name high was found',
    );
  });
});

describe('a minion', () => {
  const makes = (draft: Draft<Pod>) => () => {
    const cluster = testCluster();
    return cluster.as(
      MINION,
      (session) => create(session, cluster.definition('pods'), 'default', draft).object.metadata.name,
    );
  };
  const mirror = { 'kubernetes.io/config.mirror': 'hash' };

  test('makes mirror pods of itself', () => {
    expect(makes(pod('static-m1', { nodeName: 'm1' }, mirror))()).toBe('static-m1');
  });

  test.each<[string, Draft<Pod>, string]>([
    ['pods that are no mirrors', pod('x', { nodeName: 'm1' }), 'can only create mirror pods'],
    [
      'pods of another node',
      pod('x', { nodeName: 'm2' }, mirror),
      'can only create pods with spec.nodeName set to itself',
    ],
    [
      'mirror pods with secrets',
      pod('x', { nodeName: 'm1', volumes: [{ name: 's', secret: { secretName: 'a' } }] }, mirror),
      'can not create pods that reference a service account, secrets or configmaps',
    ],
  ])('does not make %s', (_what, draft, message) => {
    expect(makes(draft)).toThrow(message);
  });

  test('does not change another node’s pod, nor its own labels through status', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PODS, pod('mine', { nodeName: 'm1' })));
    cluster.do((objects) => objects.create(PODS, pod('theirs', { nodeName: 'm2' })));
    const change = (name: string, labels: Record<string, string>) =>
      cluster.as(MINION, (session) => {
        const current = session.objects.get(PODS, 'default', name);
        if (current === undefined) throw new Error(`${name} is not there`);
        const draft = { ...current, metadata: { ...current.metadata, labels }, status: { phase: 'Running' as const } };
        return update(session, cluster.definition('pods'), 'default', name, draft, { subresource: 'status' }).created;
      });
    expect(change('mine', {})).toBe(false);
    expect(() => change('theirs', {})).toThrow('can only update status for pods with spec.nodeName set to itself');
    expect(() => change('mine', { app: 'drawn-here' })).toThrow('cannot update labels through pod status');
  });
});
