/** The small kinds: what each gets, what each refuses, and its row. */
import { describe, expect, test } from 'vitest';
import type { ConfigMap, Endpoints, Event, Namespace, Node, Secret } from '../../../shared/api/core.ts';
import type { EndpointSlice } from '../../../shared/api/discovery.ts';
import type { Hook } from '../../../shared/api/longshore.ts';
import type { Draft, KubeObject } from '../../../shared/api/meta.ts';
import { CONFIG_MAPS_DEFINITION } from '../../../worker/resources/configmaps.ts';
import type { ResourceDefinition } from '../../../worker/resources/definition.ts';
import { ENDPOINTS_DEFINITION } from '../../../worker/resources/endpoints.ts';
import { ENDPOINT_SLICES_DEFINITION } from '../../../worker/resources/endpointslices.ts';
import { EVENTS_DEFINITION, eventFromStored, eventToStored } from '../../../worker/resources/events.ts';
import { HOOKS_DEFINITION } from '../../../worker/resources/hooks.ts';
import { LEASES_DEFINITION } from '../../../worker/resources/leases.ts';
import { NAMESPACES_DEFINITION } from '../../../worker/resources/namespaces.ts';
import { NODES_DEFINITION } from '../../../worker/resources/nodes.ts';
import { SECRETS_DEFINITION } from '../../../worker/resources/secrets.ts';
import { EPOCH, EPOCH_MS, metadata, node } from '../../support/builders.ts';
import { cellsOf, lines } from './tables.ts';

const NOW_MS = EPOCH_MS + 60_000;
const context = { nowMs: NOW_MS, random: () => 0.5 };

/** An object of a definition's kind, from its parts. */
function make<T extends KubeObject>(resource: ResourceDefinition<T>, parts: object): T {
  const { kind, group, version } = resource.identity;
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    metadata: metadata('a'),
    ...parts,
  } as unknown as T;
}

function problems<T extends KubeObject>(resource: ResourceDefinition<T>, parts: object): string[] {
  const draft = make(resource, parts) as Draft<T>;
  resource.default?.(draft);
  return lines(resource.validate?.(draft) ?? []);
}

describe('a ConfigMap', () => {
  test('has keys that can be file names, and at most 1 MiB', () => {
    expect(problems(CONFIG_MAPS_DEFINITION, { data: { '..x': '', ok: 'a' } })).toEqual([
      `data[..x]: Invalid value: "..x": must not start with '..'`,
    ]);
    expect(problems(CONFIG_MAPS_DEFINITION, { data: { k: 'x' }, binaryData: { k: 'YQ==' } })).toEqual([
      'data[k]: Invalid value: "k": duplicate of key present in binaryData',
    ]);
    expect(problems(CONFIG_MAPS_DEFINITION, { data: { k: 'x'.repeat(1024 * 1024 + 1) } })).toEqual([
      ': Too long: may not be more than 1048576 bytes',
    ]);
  });

  test('that is immutable stays as it is', () => {
    const current = make<ConfigMap>(CONFIG_MAPS_DEFINITION, { data: { a: '1' }, immutable: true });
    const draft = make<ConfigMap>(CONFIG_MAPS_DEFINITION, { data: { a: '2' } });
    expect(lines(CONFIG_MAPS_DEFINITION.validateUpdate?.(draft, current) ?? [])).toEqual([
      'immutable: Forbidden: field is immutable when `immutable` is set',
      'data: Forbidden: field is immutable when `immutable` is set',
    ]);
  });

  test('shows how much it holds', () => {
    const shown = make<ConfigMap>(CONFIG_MAPS_DEFINITION, { data: { a: '', b: '' }, binaryData: { c: '' } });
    expect(cellsOf(CONFIG_MAPS_DEFINITION, shown, NOW_MS)).toEqual(['a', 3, '60s']);
  });
});

describe('a Secret', () => {
  test('takes text and keeps it as data', () => {
    const draft = make<Secret>(SECRETS_DEFINITION, { data: { a: 'YQ==', b: 'YQ==' }, stringData: { b: 'zwei ü' } });
    SECRETS_DEFINITION.default?.(draft);
    expect(draft).toMatchObject({ type: 'Opaque', data: { a: 'YQ==', b: 'endlaSDDvA==' } });
    expect(draft).not.toHaveProperty('stringData');
  });

  test('of a type has what the type needs', () => {
    expect(problems(SECRETS_DEFINITION, { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } })).toEqual([
      'data[tls.key]: Required value',
    ]);
    expect(
      problems(SECRETS_DEFINITION, {
        type: 'kubernetes.io/dockerconfigjson',
        data: { '.dockerconfigjson': 'bm90IGpzb24=' },
      }),
    ).toEqual(['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character in JSON']);
  });

  test('keeps its type', () => {
    const current = make<Secret>(SECRETS_DEFINITION, { type: 'a' });
    expect(lines(SECRETS_DEFINITION.validateUpdate?.(make(SECRETS_DEFINITION, { type: 'b' }), current) ?? [])).toEqual([
      'type: Invalid value: "b": field is immutable',
    ]);
  });
});

describe('a Namespace', () => {
  test('starts Active, is labelled with its name, and stays until it is empty', () => {
    const draft = make<Namespace>(NAMESPACES_DEFINITION, { metadata: metadata('team') });
    NAMESPACES_DEFINITION.default?.(draft);
    NAMESPACES_DEFINITION.prepareCreate?.(draft, context);
    expect(draft).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'team' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    expect(cellsOf(NAMESPACES_DEFINITION, draft, NOW_MS)).toEqual(['team', 'Active', '60s']);
  });

  test('keeps its finalizers in an ordinary update, and its label', () => {
    const current = make<Namespace>(NAMESPACES_DEFINITION, {
      metadata: metadata('team'),
      spec: { finalizers: ['kubernetes'] },
    });
    const draft = make<Namespace>(NAMESPACES_DEFINITION, { metadata: metadata('team'), spec: {} });
    NAMESPACES_DEFINITION.prepareUpdate?.(draft, current, context);
    expect(draft).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'team' } },
      spec: { finalizers: ['kubernetes'] },
    });
  });
});

describe('a Node', () => {
  test('shows its state, roles and version', () => {
    const ready = node('m1', {
      labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '192.168.1.2' }],
      },
    });
    expect(cellsOf(NODES_DEFINITION, ready, NOW_MS)).toEqual([
      'm1',
      'Ready,SchedulingDisabled',
      'edge,worker',
      '60s',
      '',
      '192.168.1.2',
      '<none>',
      '<unknown>',
      '<unknown>',
      '<unknown>',
    ]);
    expect(cellsOf(NODES_DEFINITION, node('m2', { status: { conditions: [] } }), NOW_MS).slice(1, 3)).toEqual([
      'Unknown',
      '<none>',
    ]);
  });

  test('has taints that differ, and keeps its share of the pod network', () => {
    const taint = { key: 'a', effect: 'NoSchedule' as const };
    expect(problems(NODES_DEFINITION, { spec: { taints: [taint, { ...taint, value: 'x' }] } })).toEqual([
      'spec.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule","value":"x"}: taints must be unique by key and effect pair',
    ]);
    const current = node('m1', { spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] } });
    const moved = node('m1', { spec: { podCIDR: '10.244.2.0/24', podCIDRs: ['10.244.2.0/24'] } });
    expect(lines(NODES_DEFINITION.validateUpdate?.(moved, current) ?? [])).toEqual([
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    ]);
  });

  test('can give what it has, unless it says otherwise', () => {
    const draft: Draft<Node> = node('m1', {
      status: { capacity: { cpu: '4', memory: '8Gi' }, allocatable: { memory: '7Gi' } },
    });
    NODES_DEFINITION.default?.(draft);
    expect(draft.status?.allocatable).toEqual({ cpu: '4', memory: '7Gi' });
  });
});

describe('an Event', () => {
  const event = make<Event>(EVENTS_DEFINITION, {
    involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
    reason: 'Pulled',
    message: ' done ',
    type: 'Normal',
    source: { component: 'kubelet', host: 'm1' },
    firstTimestamp: EPOCH,
    lastTimestamp: '2026-01-01T00:00:30Z',
    count: 3,
  });

  test('shows when, what, whom and how often', () => {
    expect(cellsOf(EVENTS_DEFINITION, event, NOW_MS)).toEqual([
      '30s',
      'Normal',
      'Pulled',
      'pod/web',
      '',
      'kubelet, m1',
      'done',
      '60s',
      3,
      'a',
    ]);
  });

  test('lies in the namespace of what it is about', () => {
    const elsewhere = { ...event, involvedObject: { kind: 'Pod', name: 'web', namespace: 'other' } };
    expect(problems(EVENTS_DEFINITION, elsewhere)).toEqual([
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ]);
    expect(problems(EVENTS_DEFINITION, event)).toEqual([]);
  });

  test('is the same in events.k8s.io, under other names, and back', () => {
    const served = eventFromStored(event);
    expect(served).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      regarding: { name: 'web' },
      note: ' done ',
      deprecatedCount: 3,
      deprecatedFirstTimestamp: EPOCH,
    });
    expect(served).not.toHaveProperty('involvedObject');
    expect(eventToStored(served)).toEqual(event);
  });
});

describe('Endpoints', () => {
  test('show three addresses and how many more there are', () => {
    const addresses = ['10.0.0.1', '10.0.0.2'].map((ip) => ({ ip }));
    const shown = (ports: { name?: string; port: number }[]) =>
      cellsOf(
        ENDPOINTS_DEFINITION,
        make<Endpoints>(ENDPOINTS_DEFINITION, { subsets: [{ addresses, ports }] }),
        NOW_MS,
      )[1];
    expect(shown([{ port: 80 }])).toBe('10.0.0.1:80,10.0.0.2:80');
    expect(
      shown([
        { name: 'a', port: 80 },
        { name: 'b', port: 81 },
      ]),
    ).toBe('10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...');
    expect(cellsOf(ENDPOINTS_DEFINITION, make<Endpoints>(ENDPOINTS_DEFINITION, {}), NOW_MS)[1]).toBe('<none>');
  });

  test('hold addresses', () => {
    expect(problems(ENDPOINTS_DEFINITION, { subsets: [{ addresses: [{ ip: 'x' }], ports: [{ port: 80 }] }] })).toEqual([
      'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ]);
  });
});

describe('an EndpointSlice', () => {
  const slice = { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ name: 'http', port: 80 }] };

  test('shows its type, ports and endpoints', () => {
    const shown = make<EndpointSlice>(ENDPOINT_SLICES_DEFINITION, slice);
    expect(cellsOf(ENDPOINT_SLICES_DEFINITION, shown, NOW_MS)).toEqual(['a', 'IPv4', '80', '10.0.0.1', '60s']);
    const empty = make<EndpointSlice>(ENDPOINT_SLICES_DEFINITION, { addressType: 'IPv4', endpoints: [] });
    expect(cellsOf(ENDPOINT_SLICES_DEFINITION, empty, NOW_MS).slice(2, 4)).toEqual(['<unset>', '<unset>']);
  });

  test('has addresses of its type, which stays', () => {
    expect(problems(ENDPOINT_SLICES_DEFINITION, slice)).toEqual([]);
    expect(problems(ENDPOINT_SLICES_DEFINITION, { ...slice, addressType: 'IPv6' })).toEqual([
      'endpoints[0].addresses[0]: Invalid value: "10.0.0.1": must be a valid IPv6 address',
    ]);
    expect(problems(ENDPOINT_SLICES_DEFINITION, { endpoints: [] })).toEqual(['addressType: Required value']);
  });
});

test('a Lease lasts for some time', () => {
  expect(problems(LEASES_DEFINITION, { spec: { leaseDurationSeconds: 0 } })).toEqual([
    'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
  ]);
});

describe('a Hook', () => {
  const spec = { secretRef: { name: 's' }, target: { deployment: 'web', container: 'main' } };

  test('gets what its author left out', () => {
    const draft = make<Hook>(HOOKS_DEFINITION, { spec: structuredClone(spec) });
    HOOKS_DEFINITION.default?.(draft);
    expect(draft.spec).toEqual({
      ...spec,
      secretRef: { name: 's', key: 'secret' },
      signature: 'github',
      imagePointer: '/image',
    });
    expect(HOOKS_DEFINITION.validate?.(draft)).toEqual([]);
    expect(HOOKS_DEFINITION.entries?.(draft)).toEqual([
      { index: 'uses', value: 'secrets/s' },
      { index: 'uses', value: 'deployments.apps/web' },
    ]);
  });

  test.each<[string, object, string[]]>([
    ['without a spec', {}, ['spec: Required value']],
    ['without a target', { spec: { secretRef: { name: 's' } } }, ['spec.target: Required value']],
    [
      'with a signature of its own',
      { spec: { ...spec, signature: 'md5' } },
      ['spec.signature: Unsupported value: "md5": supported values: "github", "hmac"'],
    ],
    [
      'with a number for a name',
      { spec: { ...spec, secretRef: { name: 1 } } },
      ['spec.secretRef.name: Invalid value: "integer": spec.secretRef.name in body must be of type string: "integer"'],
    ],
    [
      'with a pointer that points nowhere',
      { spec: { ...spec, imagePointer: 'image' } },
      ['spec.imagePointer: Invalid value: "image": must be a JSON Pointer (RFC 6901)'],
    ],
  ])('%s is refused', (_, parts, expected) => {
    expect(problems(HOOKS_DEFINITION, parts)).toEqual(expected);
  });
});
