import { describe, expect, test } from 'vitest';
import type { EndpointSlice } from '../../../shared/api/discovery.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import {
  endpointGroups,
  endpointOf,
  MAX_ENDPOINTS,
  planSlices,
  portsOf,
  type SlicePort,
  sliceLabels,
  subsetsOf,
} from '../../../worker/controllers/service-endpoints.ts';
import { metadata, pod, running, service } from '../../support/builders.ts';

const web = service('web', {
  clusterIP: '10.96.0.7',
  selector: { app: 'web' },
  ports: [{ name: 'http', port: 80, targetPort: 'web' }],
});
const withPort = (name: string, ip: string, port: number, more: Parameters<typeof pod>[1] = {}) =>
  pod(name, {
    status: running(ip),
    ...more,
    spec: {
      nodeName: 'm1',
      containers: [{ name: 'main', ports: [{ name: 'web', containerPort: port }] }],
      ...more.spec,
    },
  });

describe('an endpoint', () => {
  test.each([
    [
      'is ready when the pod is',
      false,
      running('10.1.0.1'),
      undefined,
      { ready: true, serving: true, terminating: false },
    ],
    [
      'is not ready when the pod is not',
      false,
      running('10.1.0.1', false),
      undefined,
      { ready: false, serving: false, terminating: false },
    ],
    [
      'still serves while it ends',
      false,
      running('10.1.0.1'),
      '2026-01-01T00:01:00Z',
      { ready: false, serving: true, terminating: true },
    ],
    [
      'is published as ready where that is asked for',
      true,
      running('10.1.0.1', false),
      undefined,
      { ready: true, serving: false, terminating: false },
    ],
  ])('%s', (_name, publishNotReadyAddresses, status, deletionTimestamp, conditions) => {
    const subject = withPort('a', '10.1.0.1', 80, { status, metadata: deletionTimestamp ? { deletionTimestamp } : {} });
    const asked = { ...web, spec: { ...web.spec, publishNotReadyAddresses } };
    expect(endpointOf(asked, subject)).toEqual({
      addresses: ['10.1.0.1'],
      conditions,
      nodeName: 'm1',
      targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'uid-a' },
    });
  });

  test('has a host name below the Service that the pod names as its subdomain', () => {
    const named = withPort('a', '10.1.0.1', 80, { spec: { containers: [], hostname: 'a-0', subdomain: 'web' } });
    const other = withPort('a', '10.1.0.1', 80, { spec: { containers: [], hostname: 'a-0', subdomain: 'else' } });
    expect(endpointOf(web, named).hostname).toBe('a-0');
    expect(endpointOf(web, other).hostname).toBeUndefined();
  });
});

describe('ports', () => {
  test('are looked up by name in each pod, and one that a pod does not have is left out', () => {
    expect(portsOf(web, withPort('a', '10.1.0.1', 8080))).toEqual([{ name: 'http', protocol: 'TCP', port: 8080 }]);
    expect(portsOf(web, pod('b'))).toEqual([]);
  });

  test('are the Service port itself where no target is named', () => {
    expect(portsOf(service('w', { ports: [{ port: 6379 }] }), pod('b'))).toEqual([
      { name: '', protocol: 'TCP', port: 6379 },
    ]);
  });
});

test('pods with different ports behind one name are different groups', () => {
  const pods = [withPort('a', '10.1.0.2', 8080), withPort('b', '10.1.0.1', 9090), withPort('c', '10.1.0.1', 8080)];
  const groups = endpointGroups(web, pods);
  expect(groups.map((each) => [each.ports[0]?.port, each.endpoints.map((endpoint) => endpoint.addresses[0])])).toEqual([
    [8080, ['10.1.0.1', '10.1.0.2']],
    [9090, ['10.1.0.1']],
  ]);
});

test('pods without an address, and those that have ended, stand behind nothing', () => {
  const ended = withPort('a', '10.1.0.1', 80, { status: { ...running('10.1.0.1'), phase: 'Failed' } });
  expect(endpointGroups(web, [ended, pod('b', { status: { phase: 'Pending' } })])).toEqual([]);
});

describe('slices', () => {
  const blank = (ports: SlicePort[], endpoints: EndpointSlice['endpoints']): Draft<EndpointSlice> => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { generateName: 'web-', labels: sliceLabels(web) },
    addressType: 'IPv4',
    endpoints,
    ports,
  });
  const stored = (name: string, draft: Draft<EndpointSlice>): EndpointSlice => ({
    ...draft,
    metadata: { ...metadata(name), ...draft.metadata, name },
  });
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      withPort(`p${index}`, `10.1.${Math.floor(index / 200)}.${(index % 200) + 1}`, 80),
    );
  const planFor = (pods: ReturnType<typeof many>, current: EndpointSlice[]) =>
    planSlices(web, endpointGroups(web, pods), current, blank);

  test('of a Service without endpoints are one that is empty', () => {
    const plan = planFor([], []);
    expect(plan.create.map((each) => each.endpoints)).toEqual([[]]);
    const again = planFor([], [stored('s', plan.create[0] as Draft<EndpointSlice>)]);
    expect(again).toEqual({ create: [], update: [], remove: [] });
  });

  test('hold a hundred endpoints each', () => {
    expect(planFor(many(250), []).create.map((each) => (each.endpoints ?? []).length)).toEqual([
      MAX_ENDPOINTS,
      MAX_ENDPOINTS,
      50,
    ]);
  });

  test('are written only where something changed', () => {
    const pods = many(150);
    const [first, second] = planFor(pods, []).create.map((each, index) => stored(`s${index}`, each)) as [
      EndpointSlice,
      EndpointSlice,
    ];
    expect(planFor(pods, [first, second])).toEqual({ create: [], update: [], remove: [] });
    const changed = pods.map((each, index) =>
      index === 149 ? { ...each, status: running(each.status?.podIP ?? '', false) } : each,
    );
    const plan = planFor(changed, [first, second]);
    expect([plan.create.length, plan.update.length, plan.remove.length]).toEqual([0, 1, 0]);
  });

  test('take new endpoints where there is room, and keep the others where they are', () => {
    const pods = many(60);
    const [first] = planFor(pods, []).create.map((each) => stored('s', each)) as [EndpointSlice];
    const plan = planFor(many(70), [first]);
    expect(plan.create).toEqual([]);
    expect(plan.update.map((each) => (each.endpoints ?? []).length)).toEqual([70]);
    expect(plan.update[0]?.endpoints?.slice(0, 60)).toEqual(first.endpoints);
  });

  test('that are empty go, but for the last one', () => {
    const [first, second] = planFor(many(150), []).create.map((each, index) => stored(`s${index}`, each)) as [
      EndpointSlice,
      EndpointSlice,
    ];
    const inFirst = new Set((first.endpoints ?? []).map((each) => each.targetRef?.name));
    const left = many(150).filter((each) => inFirst.has(each.metadata.name));
    expect(planFor(left, [first, second]).remove.map((each) => each.metadata.name)).toEqual(['s1']);
  });
});

describe('the Endpoints object', () => {
  test('parts ready from not ready, and leaves out what ends', () => {
    const pods = [
      withPort('a', '10.1.0.2', 80),
      withPort('b', '10.1.0.1', 80, { status: running('10.1.0.1', false) }),
      withPort('c', '10.1.0.3', 80, { metadata: { deletionTimestamp: '2026-01-01T00:01:00Z' } }),
    ];
    const target = (name: string) => ({ kind: 'Pod', namespace: 'default', name, uid: `uid-${name}` });
    expect(subsetsOf(web, pods)).toEqual([
      {
        addresses: [{ ip: '10.1.0.2', nodeName: 'm1', targetRef: target('a') }],
        notReadyAddresses: [{ ip: '10.1.0.1', nodeName: 'm1', targetRef: target('b') }],
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      },
    ]);
  });
});
