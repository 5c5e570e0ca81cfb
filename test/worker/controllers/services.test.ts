import { describe, expect, test } from 'vitest';
import { ENDPOINTS, PODS, SERVICES, type Service } from '../../../shared/api/core.ts';
import { ENDPOINT_SLICES } from '../../../shared/api/discovery.ts';
import { publicUrlOf } from '../../../worker/controllers/services.ts';
import { addNode, controlPlane, errorsOf, podsOf, setStatus, settle, type TestPlane } from './control-plane.ts';

function withService(spec: Service['spec'], publicUrl?: string): TestPlane {
  const plane = controlPlane(publicUrl === undefined ? {} : { publicUrl });
  addNode(plane, 'm1');
  plane.do((objects) =>
    objects.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default', labels: { tier: 'front' } },
      spec,
    }),
  );
  return plane;
}

const addPod = (plane: TestPlane, name: string, labels: Record<string, string>) =>
  plane.do((objects) =>
    objects.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', labels },
      spec: { containers: [{ name: 'main', image: 'v1', ports: [{ name: 'web', containerPort: 8080 }] }] },
    }),
  );

const web = (plane: TestPlane): Service => {
  const found = plane.do((objects) => objects.get(SERVICES, 'default', 'web') ?? null);
  if (found === null) throw new Error('the Service is gone');
  return found;
};
const slicesOf = (plane: TestPlane) =>
  plane.do((objects) =>
    objects.list(ENDPOINT_SLICES, {
      namespace: 'default',
      having: [{ index: 'label:kubernetes.io/service-name', value: 'web' }],
    }),
  );
const readyOf = (plane: TestPlane) =>
  slicesOf(plane).flatMap((slice) =>
    (slice.endpoints ?? []).map((each) => [each.targetRef?.name, each.conditions?.ready]),
  );

const SELECTING: Service['spec'] = { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'web' }] };

describe('endpoints of a Service', () => {
  test('follow its pods: they come, fail and go', () => {
    const plane = withService(SELECTING);
    addPod(plane, 'a', { app: 'web' });
    addPod(plane, 'b', { app: 'web' });
    addPod(plane, 'c', { app: 'else' });
    settle(plane);
    expect(readyOf(plane)).toEqual([
      ['a', true],
      ['b', true],
    ]);
    expect(slicesOf(plane)[0]).toMatchObject({
      metadata: {
        labels: {
          tier: 'front',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [{ kind: 'Service', name: 'web', controller: true, blockOwnerDeletion: true }],
      },
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    });
    const [a] = podsOf(plane);
    if (a !== undefined) setStatus(plane, a, false);
    expect(readyOf(plane)).toEqual([
      ['a', false],
      ['b', true],
    ]);
    plane.do((objects) => objects.delete(PODS, 'default', 'a'));
    settle(plane);
    expect(readyOf(plane)).toEqual([['b', true]]);
    const endpoints = plane.do((objects) => objects.get(ENDPOINTS, 'default', 'web') ?? null);
    expect(endpoints?.subsets?.map((each) => each.addresses?.map((address) => address.targetRef?.name))).toEqual([
      ['b'],
    ]);
    expect(errorsOf(plane)).toEqual([]);
  });

  test('follow labels and the selector', () => {
    const plane = withService(SELECTING);
    addPod(plane, 'a', { app: 'web' });
    addPod(plane, 'c', { app: 'else' });
    settle(plane);
    const service = web(plane);
    plane.do((objects) =>
      objects.update(SERVICES, { ...service, spec: { ...service.spec, selector: { app: 'else' } } }),
    );
    expect(readyOf(plane)).toEqual([['c', true]]);
    const a = podsOf(plane).find((each) => each.metadata.name === 'a');
    if (a === undefined) throw new Error('no pod');
    plane.do((objects) => objects.update(PODS, { ...a, metadata: { ...a.metadata, labels: { app: 'else' } } }));
    expect(readyOf(plane)).toEqual([
      ['c', true],
      ['a', true],
    ]);
  });

  test('are mended when somebody deletes them', () => {
    const plane = withService(SELECTING);
    addPod(plane, 'a', { app: 'web' });
    settle(plane);
    const [slice] = slicesOf(plane);
    plane.do((objects) => objects.delete(ENDPOINT_SLICES, 'default', slice?.metadata.name ?? ''));
    expect(readyOf(plane)).toEqual([['a', true]]);
  });

  test('go with the Service', () => {
    const plane = withService(SELECTING);
    plane.do((objects) => objects.delete(SERVICES, 'default', 'web'));
    expect(slicesOf(plane)).toEqual([]);
    expect(plane.do((objects) => objects.get(ENDPOINTS, 'default', 'web') ?? null)).toBeNull();
    expect(errorsOf(plane)).toEqual([]);
  });

  test("are the user's own where there is no selector", () => {
    const plane = withService({ ports: [{ port: 80 }] });
    expect(slicesOf(plane)).toEqual([]);
  });
});

describe('a LoadBalancer', () => {
  test('has its host and URL in the turn in which it is written', () => {
    const plane = withService({ ...SELECTING, type: 'LoadBalancer' });
    expect(web(plane).status?.loadBalancer).toEqual({ ingress: [{ hostname: 'web.default.localhost' }] });
    expect(web(plane).metadata.annotations).toEqual({ 'longshore.dev/url': 'http://web.default.localhost:8080' });
  });

  test('has a path where hosts cannot be had', () => {
    const plane = withService(
      { ...SELECTING, type: 'LoadBalancer' },
      'https://x.workers.dev/public/{cluster}/{namespace}/{name}/',
    );
    expect(web(plane).status?.loadBalancer).toEqual({ ingress: [{ hostname: 'x.workers.dev' }] });
    expect(web(plane).metadata.annotations).toEqual({
      'longshore.dev/url': 'https://x.workers.dev/public/default/default/web/',
    });
  });

  test('that is one no longer loses both', () => {
    const plane = withService({ ...SELECTING, type: 'LoadBalancer' });
    const service = web(plane);
    plane.do((objects) => objects.update(SERVICES, { ...service, spec: { ...service.spec, type: 'ClusterIP' } }));
    expect(web(plane).status?.loadBalancer).toEqual({});
    expect(web(plane).metadata.annotations ?? {}).toEqual({});
    expect(errorsOf(plane)).toEqual([]);
  });

  test('of a class of its own is left to others', () => {
    const plane = withService({ ...SELECTING, type: 'LoadBalancer', loadBalancerClass: 'example.com/lb' });
    expect(web(plane).metadata.annotations).toBeUndefined();
  });
});

test('a public URL names cluster, namespace and Service', () => {
  expect(publicUrlOf('https://{name}--{namespace}--{cluster}.example.com', 'c1', 'ns', 'web')).toBe(
    'https://web--ns--c1.example.com',
  );
});
