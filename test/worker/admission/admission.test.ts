import { describe, expect, test } from 'vitest';
import { PODS, type Pod, SERVICE_ACCOUNTS } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { bind } from '../../../worker/registry/binding.ts';
import { create } from '../../../worker/registry/create.ts';
import { evict } from '../../../worker/registry/eviction.ts';
import { update } from '../../../worker/registry/update.ts';
import type { UserInfo } from '../../../worker/users.ts';
import { testCluster } from '../../support/cluster.ts';

const pod = (name: string, spec: Partial<Pod['spec']> = {}, annotations: Record<string, string> = {}): Draft<Pod> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: { containers: [{ name: 'main', image: 'nginx' }], schedulerName: 'nobody', ...spec },
});
const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const variable = (secret: string) => ({ name: 'V', valueFrom: { secretKeyRef: { name: secret, key: 'k' } } });
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

  test('finds its token where clients look, in every container that has nothing else there', () => {
    const cluster = testCluster();
    const elsewhere = { name: 'own', mountPath: TOKEN_PATH };
    const { spec } = cluster.do((objects) =>
      objects.create(
        PODS,
        pod('p', {
          volumes: [{ name: 'own', emptyDir: {} }],
          initContainers: [{ name: 'first', image: 'nginx' }],
          containers: [
            { name: 'main', image: 'nginx' },
            { name: 'side', image: 'nginx', volumeMounts: [elsewhere] },
          ],
        }),
      ),
    );
    const [, volume] = spec.volumes ?? [];
    expect(volume).toEqual({
      name: expect.stringMatching(/^kube-api-access-[b-z2-9]{5}$/),
      projected: {
        defaultMode: 0o644,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    });
    const mount = { name: volume?.name, readOnly: true, mountPath: TOKEN_PATH };
    expect(spec.initContainers?.[0]?.volumeMounts).toEqual([mount]);
    expect(spec.containers.map((each) => each.volumeMounts)).toEqual([[mount], [elsewhere]]);
  });

  test('that brings such a volume, or needs none, gets no second one', () => {
    const cluster = testCluster();
    const volume = { name: 'kube-api-access-mine', emptyDir: {} };
    const mounted = { name: 'main', image: 'nginx', volumeMounts: [{ name: volume.name, mountPath: TOKEN_PATH }] };
    const bare = { name: 'bare', image: 'nginx' };
    cluster.do((objects) => {
      const one = objects.create(PODS, pod('p', { volumes: [volume], containers: [bare] }));
      expect(one.spec.volumes).toEqual([volume]);
      expect(one.spec.containers[0]?.volumeMounts?.[0]).toMatchObject({ name: volume.name });
      const two = objects.create(PODS, pod('q', { volumes: [volume], containers: [mounted] }));
      expect(two.spec.volumes).toEqual([volume]);
    });
  });

  test.each([
    { ofPod: undefined, ofAccount: undefined, mounts: true },
    { ofPod: undefined, ofAccount: false, mounts: false },
    { ofPod: true, ofAccount: false, mounts: true },
    { ofPod: false, ofAccount: undefined, mounts: false },
    { ofPod: false, ofAccount: true, mounts: false },
  ])('mounts a token: $mounts, when it says $ofPod and its account $ofAccount', ({ ofPod, ofAccount, mounts }) => {
    const cluster = testCluster();
    const { spec } = cluster.do((objects) => {
      objects.create(SERVICE_ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'robot', namespace: 'default' },
        ...(ofAccount === undefined ? {} : { automountServiceAccountToken: ofAccount }),
      });
      const own = ofPod === undefined ? {} : { automountServiceAccountToken: ofPod };
      return objects.create(PODS, pod('p', { serviceAccountName: 'robot', ...own }));
    });
    expect(spec.volumes !== undefined).toBe(mounts);
    expect(spec.containers[0]?.volumeMounts !== undefined).toBe(mounts);
  });

  test.each([
    [
      { volumes: [{ name: 'v', secret: { secretName: 'other' } }] },
      'volume with secret.secretName="other" is not allowed because service account limited does not reference that secret',
    ],
    [
      { initContainers: [{ name: 'first', image: 'nginx', env: [variable('other')] }] },
      'init container first with envVar V referencing secret.secretName="other" is not allowed because service account limited does not reference that secret',
    ],
    [
      { containers: [{ name: 'main', image: 'nginx', env: [variable('own'), variable('other')] }] },
      'container main with envVar V referencing secret.secretName="other" is not allowed because service account limited does not reference that secret',
    ],
    [
      { imagePullSecrets: [{ name: 'pull' }, { name: 'own' }] },
      'imagePullSecrets[1].name="own" is not allowed because service account limited does not reference that imagePullSecret',
    ],
  ])('of an account that limits its secrets may use those alone: %j', (spec, why) => {
    const cluster = testCluster();
    const limited = (annotations: Record<string, string>) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'limited', namespace: 'default', annotations },
      secrets: [{ name: 'own' }],
      imagePullSecrets: [{ name: 'pull' }],
    });
    const draft = () => pod('p', { serviceAccountName: 'limited', ...spec });
    const enforced = { 'kubernetes.io/enforce-mountable-secrets': 'true' };
    cluster.do((objects) => objects.create(SERVICE_ACCOUNTS, limited(enforced)));
    expect(() => cluster.do((objects) => objects.create(PODS, draft()))).toThrow(`pods "p" is forbidden: ${why}`);
    cluster.do((objects) => {
      objects.delete(SERVICE_ACCOUNTS, 'default', 'limited');
      objects.create(SERVICE_ACCOUNTS, limited({}));
      objects.create(PODS, draft());
    });
  });

  test('that mirrors a static one has no account, no token and no secret', () => {
    const cluster = testCluster();
    const mirrored = (spec: Partial<Pod['spec']>) => pod('p', spec, { 'kubernetes.io/config.mirror': 'hash' });
    const refused = (spec: Partial<Pod['spec']>) => () =>
      cluster.do((objects) => objects.create(PODS, mirrored(spec)).metadata.name);
    expect(refused({ serviceAccountName: 'default' })).toThrow('a mirror pod may not reference service accounts');
    expect(refused({ volumes: [{ name: 'v', secret: { secretName: 's' } }] })).toThrow(
      'a mirror pod may not reference secrets',
    );
    const sources = [{ serviceAccountToken: { path: 'token' } }];
    expect(refused({ volumes: [{ name: 'v', projected: { sources } }] })).toThrow(
      'a mirror pod may not use ServiceAccountToken volume projections',
    );
    const { spec } = cluster.do((objects) => objects.create(PODS, mirrored({})));
    expect([spec.serviceAccountName, spec.volumes]).toEqual([undefined, undefined]);
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

  test('evicts its own pods only, and binds none', () => {
    const cluster = testCluster();
    cluster.do((objects) => objects.create(PODS, pod('mine', { nodeName: 'm1' })));
    cluster.do((objects) => objects.create(PODS, pod('theirs', { nodeName: 'm2' })));
    cluster.do((objects) => objects.create(PODS, pod('waiting')));
    const evicts = (name: string) => () => cluster.as(MINION, (session) => evict(session, 'default', name, {}));
    expect(evicts('theirs')).toThrow(
      'pods "theirs" is forbidden: node m1 can only evict pods with spec.nodeName set to itself',
    );
    expect(evicts('nobody')).toThrow('pods "nobody" not found');
    evicts('mine')();
    expect(cluster.stored<Pod>('pods', 'default', 'mine')?.metadata.deletionTimestamp).toBeDefined();
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'waiting' },
      target: { kind: 'Node', name: 'm1' },
    };
    expect(() => cluster.as(MINION, (session) => bind(session, 'default', 'waiting', binding).text)).toThrow(
      `unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
    );
  });

  test('keeps its own lease', () => {
    const cluster = testCluster();
    const makes = (namespace: string, name: string) => () => {
      const draft = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec: {} };
      const leases = cluster.definition('leases.coordination.k8s.io');
      return cluster.as(MINION, (session) => create(session, leases, namespace, draft).text);
    };
    expect(makes('default', 'm1')).toThrow('can only access leases in the "kube-node-lease" system namespace');
    expect(makes('kube-node-lease', 'm2')).toThrow('can only access node lease with the same name');
    makes('kube-node-lease', 'm1')();
  });
});
