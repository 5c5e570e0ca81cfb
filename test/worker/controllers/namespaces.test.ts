import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, NAMESPACES, type Namespace, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../../shared/api/core.ts';
import { addNode, controlPlane, errorsOf, kubelets, podsOf, settle, type TestPlane } from './control-plane.ts';

function created(caCertificate?: string): TestPlane {
  const plane = controlPlane(caCertificate === undefined ? {} : { caCertificate });
  plane.do((objects) =>
    objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } }),
  );
  return plane;
}

const namespaceOf = (plane: TestPlane): Namespace | null =>
  plane.do((objects) => objects.get(NAMESPACES, '', 'team') ?? null);

const addConfigMap = (plane: TestPlane, name: string, finalizers: string[] = []) =>
  plane.do((objects) =>
    objects.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'team', finalizers },
    }),
  );

describe('a new namespace', () => {
  test('has a default service account, and gets it again', () => {
    const plane = created();
    const accounts = () =>
      plane.do((objects) => objects.list(SERVICE_ACCOUNTS, { namespace: 'team' })).map((each) => each.metadata.name);
    expect(accounts()).toEqual(['default']);
    plane.do((objects) => objects.delete(SERVICE_ACCOUNTS, 'team', 'default'));
    expect(accounts()).toEqual(['default']);
  });

  test('has the certificate of the API, kept as it should be', () => {
    const plane = created('PEM');
    const certificate = () => plane.do((objects) => objects.get(CONFIG_MAPS, 'team', 'kube-root-ca.crt') ?? null);
    expect(certificate()?.data).toEqual({ 'ca.crt': 'PEM' });
    const current = certificate();
    if (current === null) throw new Error('no certificate');
    plane.do((objects) => objects.update(CONFIG_MAPS, { ...current, data: { 'ca.crt': 'forged' } }));
    expect(certificate()?.data).toEqual({ 'ca.crt': 'PEM' });
    plane.do((objects) => objects.delete(CONFIG_MAPS, 'team', 'kube-root-ca.crt'));
    expect(certificate()?.data).toEqual({ 'ca.crt': 'PEM' });
  });

  test('has none where clients need none', () => {
    expect(created().do((objects) => objects.list(CONFIG_MAPS, { namespace: 'team' }))).toEqual([]);
  });
});

describe('a namespace that is deleted', () => {
  test('goes at once when nothing holds it', () => {
    const plane = created('PEM');
    addConfigMap(plane, 'a');
    plane.do((objects) =>
      objects.create(SECRETS, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'team' } }),
    );
    plane.do((objects) => objects.delete(NAMESPACES, '', 'team'));
    expect(namespaceOf(plane)).toBeNull();
    expect(
      plane.do((objects) => [
        objects.list(CONFIG_MAPS, { namespace: 'team' }),
        objects.list(SECRETS, { namespace: 'team' }),
      ]),
    ).toEqual([[], []]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('waits for its pods, and keeps what they rely on until they ended', () => {
    const plane = created();
    addNode(plane, 'm1');
    addConfigMap(plane, 'settings');
    plane.do((objects) =>
      objects.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace: 'team' },
        spec: { containers: [{ name: 'main', image: 'v1' }] },
      }),
    );
    settle(plane);
    plane.do((objects) => objects.delete(NAMESPACES, '', 'team'));
    expect(podsOf(plane)[0]?.metadata.deletionTimestamp).toBeDefined();
    expect(plane.do((objects) => objects.get(CONFIG_MAPS, 'team', 'settings') ?? null)).not.toBeNull();
    expect(
      namespaceOf(plane)?.status?.conditions?.find((each) => each.type === 'NamespaceContentRemaining'),
    ).toMatchObject({
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: 'Some resources are remaining: pods. has 1 resource instances',
    });
    kubelets(plane);
    expect(namespaceOf(plane)).toBeNull();
  });

  test('says which finalizers it waits for', () => {
    const plane = created();
    addConfigMap(plane, 'held', ['example.com/hold']);
    plane.do((objects) => objects.delete(NAMESPACES, '', 'team'));
    expect(
      namespaceOf(plane)?.status?.conditions?.find((each) => each.type === 'NamespaceFinalizersRemaining')?.message,
    ).toBe('Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances');
    const held = plane.do((objects) => objects.get(CONFIG_MAPS, 'team', 'held') ?? null);
    if (held === null) throw new Error('it is gone');
    plane.do((objects) => objects.update(CONFIG_MAPS, { ...held, metadata: { ...held.metadata, finalizers: [] } }));
    expect(namespaceOf(plane)).toBeNull();
  });

  test('with more in it than one step deletes goes in several', () => {
    const plane = created();
    for (let index = 0; index < 350; index += 1) addConfigMap(plane, `c${index}`);
    plane.do((objects) => objects.delete(NAMESPACES, '', 'team'));
    plane.pass(0);
    expect(namespaceOf(plane)).toBeNull();
  });
});
