import { describe, expect, test } from 'vitest';
import { PODS } from '../../../../shared/api/core.ts';
import type { KubeObject } from '../../../../shared/api/meta.ts';
import { StatusError } from '../../../../shared/errors.ts';
import type { JsonMap } from '../../../../worker/registry/apply/typed.ts';
import { applyConfiguration } from '../../../../worker/registry/apply.ts';
import { create } from '../../../../worker/registry/create.ts';
import { update } from '../../../../worker/registry/update.ts';
import { SYSTEM, type TestCluster, testCluster } from '../../../support/cluster.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

type Loose = KubeObject & JsonMap & { spec: JsonMap; data: JsonMap };

const NS = 'default';

interface Client {
  cluster: TestCluster;
  apply(manager: string, config: JsonMap, force?: boolean, subresource?: 'status' | ''): Loose;
  put(manager: string, change: (object: Loose) => void, subresource?: 'status' | ''): Loose;
  create(manager: string, object: JsonMap): Loose;
  read(): Loose;
  owned(manager: string, subresource?: string): unknown;
}

/** One object of one kind, written by several managers. */
function client(resource: string, name: string): Client {
  const cluster = testCluster();
  const definition = cluster.definition(resource);
  const at = (manager: string, body: Parameters<TestCluster['as']>[1]) =>
    structuredClone(cluster.as(SYSTEM, body, false, manager)) as { object: Loose };
  const read = () => {
    const found = cluster.stored<Loose>(resource, NS, name);
    if (found === undefined) throw new Error(`${resource} ${name} is not there`);
    return found;
  };
  return {
    cluster,
    read,
    apply: (manager, config, force = false, subresource = '') =>
      at(manager, (session) =>
        applyConfiguration(session, definition, NS, name, structuredClone(config), { force, subresource }),
      ).object,
    put(manager, change, subresource = '') {
      const draft = read();
      change(draft);
      return at(manager, (session) => update(session, definition, NS, name, draft, { subresource })).object;
    },
    create: (manager, object) =>
      at(manager, (session) => create(session, definition, NS, structuredClone(object) as never)).object,
    owned: (manager, subresource = '') =>
      read().metadata.managedFields?.find(
        (entry) => entry.manager === manager && (entry.subresource ?? '') === subresource,
      )?.fieldsV1,
  };
}

function refusal(body: () => unknown): StatusError {
  try {
    body();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const configMap = (data: JsonMap, more: JsonMap = {}): JsonMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', ...more },
  data,
});

const deployment = (container: JsonMap, spec: JsonMap = {}): JsonMap => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', ...container }] } },
    ...spec,
  },
});

describe('every write', () => {
  test('a create owns what was sent and what was defaulted, nothing that the server makes', () => {
    const web = client('services', 'web');
    web.create('kubectl-create', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    expect(web.read().metadata.managedFields).toEqual([
      {
        manager: 'kubectl-create',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:internalTrafficPolicy': {},
            'f:ipFamilies': {},
            'f:ipFamilyPolicy': {},
            'f:ports': {
              '.': {},
              'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} },
            },
            'f:selector': {},
            'f:sessionAffinity': {},
            'f:type': {},
          },
        },
      },
    ]);
  });

  test('owns the parts of a pod template, not the structs that are there anyway', () => {
    const web = client('deployments.apps', 'web');
    web.create('kubectl', deployment({ image: 'nginx', securityContext: { capabilities: { drop: ['ALL'] } } }));
    const { 'f:template': template, 'f:strategy': strategy } = (web.owned('kubectl') as JsonMap)['f:spec'] as JsonMap;
    expect(strategy).toEqual({
      'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} },
      'f:type': {},
    });
    expect(template).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"web"}': {
            '.': {},
            'f:image': {},
            'f:imagePullPolicy': {},
            'f:name': {},
            'f:resources': {},
            'f:securityContext': { '.': {}, 'f:capabilities': { '.': {}, 'f:drop': {} } },
            'f:terminationMessagePath': {},
            'f:terminationMessagePolicy': {},
          },
        },
        'f:dnsPolicy': {},
        'f:restartPolicy': {},
        'f:schedulerName': {},
        'f:securityContext': {},
        'f:terminationGracePeriodSeconds': {},
      },
    });
  });

  test('a write through a subresource has an entry of its own', () => {
    const pod = client('pods', 'p');
    const spec = { schedulerName: 'nobody', containers: [{ name: 'main', image: 'nginx' }] };
    pod.create('kubectl', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });
    pod.put('kubelet', (object) => Object.assign(object, { status: { hostIP: '10.0.0.1' } }), 'status');
    expect(pod.owned('kubelet', 'status')).toMatchObject({ 'f:status': { 'f:hostIP': {} } });
    expect(pod.owned('kubectl')).not.toHaveProperty('f:status');
  });

  test('the control plane writes under the names of the components it stands for', () => {
    const web = client('deployments.apps', 'web');
    web.create('kubectl', deployment({ image: 'nginx' }));
    expect(web.owned('kube-controller-manager', 'status')).toMatchObject({ 'f:status': { 'f:conditions': {} } });
    const [pod] = web.cluster.do((objects) => objects.list(PODS));
    const managers = pod?.metadata.managedFields?.map(({ manager, subresource }) => [manager, subresource]);
    expect(managers).toEqual([
      ['kube-controller-manager', undefined],
      ['kube-scheduler', 'status'],
    ]);
  });

  test('a write that changes nothing keeps the revision, whoever writes it', () => {
    const map = client('configmaps', 'a');
    const { resourceVersion } = map.create('one', configMap({ key: 'value' })).metadata;
    map.cluster.clock.pass(60_000);
    expect(map.put('two', () => {}).metadata.resourceVersion).toBe(resourceVersion);
    expect(map.put('one', (object) => delete object.metadata.managedFields).metadata.resourceVersion).toBe(
      resourceVersion,
    );
  });

  test.each([[[]], [[{}]]])('managedFields %j forget who owns what, until the first apply', (reset) => {
    const map = client('configmaps', 'a');
    map.create('one', configMap({ key: 'value' }));
    map.put('one', (object) => Object.assign(object.metadata, { managedFields: reset }));
    expect(map.read().metadata.managedFields).toBeUndefined();
    map.put('two', (object) => Object.assign(object.data, { other: '1' }));
    expect(map.read().metadata.managedFields).toBeUndefined();
    map.apply('three', configMap({ third: '3' }));
    expect(map.owned('before-first-apply')).toEqual({ 'f:data': { '.': {}, 'f:key': {}, 'f:other': {} } });
    expect(map.owned('three')).toEqual({ 'f:data': { 'f:third': {} } });
  });

  test('ten updating managers at most, the oldest as one', () => {
    const map = client('configmaps', 'a');
    map.create('m0', configMap({ k0: '0' }));
    for (let index = 1; index <= 14; index++) {
      map.cluster.clock.pass(1000);
      map.put(`m${index}`, (object) => Object.assign(object.data, { [`k${index}`]: '1' }));
    }
    const managers = map.read().metadata.managedFields?.map((entry) => entry.manager);
    expect(managers).toHaveLength(10);
    expect(managers?.[0]).toBe('ancient-changes');
  });
});

describe('apply', () => {
  test('makes what is not there, and applied again writes nothing', () => {
    const map = client('configmaps', 'a');
    const made = map.apply('one', configMap({ key: 'value' }));
    expect(made.metadata.managedFields).toEqual([
      {
        manager: 'one',
        operation: 'Apply',
        apiVersion: 'v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:key': {} } },
      },
    ]);
    map.cluster.clock.pass(60_000);
    expect(map.apply('one', configMap({ key: 'value' }))).toEqual(made);
  });

  test('refuses a field of another manager in upstream’s words, and takes it by force', () => {
    const web = client('deployments.apps', 'web');
    web.apply('one', deployment({ image: 'nginx:1' }, { replicas: 1 }));
    web.put('kubectl-scale', (object) => Object.assign(object.spec, { replicas: 3 }));
    const error = refusal(() => web.apply('one', deployment({ image: 'nginx:2' }, { replicas: 1 })));
    expect([error.code, error.reason, error.message]).toEqual([
      409,
      'Conflict',
      'Apply failed with 1 conflict: conflict with "kubectl-scale" using apps/v1 at 2026-01-01T00:00:00Z: .spec.replicas',
    ]);
    expect(web.apply('one', deployment({ image: 'nginx:2' }, { replicas: 1 }), true).spec.replicas).toBe(1);
    expect(web.owned('kubectl-scale')).toBeUndefined();
  });

  test('merges containers by name, ports by number and protocol, environment by name', () => {
    const web = client('deployments.apps', 'web');
    web.apply('one', deployment({ image: 'nginx', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] }));
    web.apply('two', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'web',
                ports: [{ containerPort: 80, protocol: 'UDP' }],
                env: [{ name: 'B', value: '2' }],
              },
            ],
          },
        },
      },
    });
    const containers = () =>
      (web.read().spec.template as { spec: { containers: JsonMap[] } }).spec.containers as JsonMap[];
    expect(containers()).toMatchObject([
      {
        name: 'web',
        image: 'nginx',
        ports: [
          { containerPort: 80, protocol: 'TCP' },
          { containerPort: 80, protocol: 'UDP' },
        ],
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
    ]);
    // What a manager leaves out, and nobody else owns, goes.
    web.apply('one', deployment({ image: 'nginx' }));
    expect(containers()).toMatchObject([
      { ports: [{ containerPort: 80, protocol: 'UDP' }], env: [{ name: 'B', value: '2' }] },
    ]);
  });

  test('merges a Service’s ports and a Pod’s volumes by their keys', () => {
    const service = client('services', 'web');
    const ports = (...list: JsonMap[]): JsonMap => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { ports: list },
    });
    service.apply('one', ports({ name: 'http', port: 80 }));
    service.apply('two', ports({ name: 'dns', port: 53, protocol: 'UDP' }));
    expect(service.read().spec.ports).toMatchObject([
      { port: 80, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ]);
    const pod = client('pods', 'p');
    const volumes = (name: string, more: JsonMap = {}): JsonMap => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { volumes: [{ name, emptyDir: {} }], ...more },
    });
    pod.apply('one', volumes('one', { containers: [{ name: 'main', image: 'nginx' }] }));
    expect(refusal(() => pod.apply('two', volumes('two'))).message).toContain('pod updates may not change fields');
    expect(pod.owned('one')).toMatchObject({
      'f:spec': { 'f:volumes': { 'k:{"name":"one"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } } },
    });
  });

  test('owns status through status only', () => {
    const web = client('deployments.apps', 'web');
    web.apply('one', { ...deployment({ image: 'nginx' }), status: { replicas: 9 } });
    expect(web.read()).not.toHaveProperty('status.replicas', 9);
    web.apply(
      'two',
      { apiVersion: 'apps/v1', kind: 'Deployment', status: { replicas: 4 }, metadata: {} },
      true,
      'status',
    );
    expect(web.read()).toHaveProperty('status.replicas', 4);
    expect(web.owned('two', 'status')).toEqual({ 'f:status': { 'f:replicas': {} } });
  });

  test.each([
    [{ managedFields: [{ manager: 'x' }] }, 'v1', 400, 'metadata.managedFields must be nil'],
    [{}, 'v2', 400, 'Incorrect version specified in apply patch. Specified patch version: v2, expected: v1'],
    [{ name: 'b' }, 'v1', 400, 'the name of the object (b) does not match the name on the URL (a)'],
    [{ resourceVersion: '1' }, 'v1', 409, 'the object has been modified'],
  ])('refuses metadata %j in %s', (metadata, apiVersion, code, message) => {
    const map = client('configmaps', 'a');
    map.apply('one', configMap({}));
    const error = refusal(() => map.apply('one', { ...configMap({}, metadata as JsonMap), apiVersion }));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
  });

  test.each([
    ['a field that is no object', { 'f:data': null }],
    ['a list item whose key is no JSON', { 'f:data': { 'k:{': {} } }],
    ['an element of no kind', { data: {} }],
  ])('managed fields that cannot be read count as if they had not been sent: %s', (_what, fieldsV1) => {
    const map = client('configmaps', 'a');
    const entry = { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 };
    map.create('one', configMap({ key: '1' }, { managedFields: [entry] }));
    expect(map.read().metadata.managedFields?.map(({ manager }) => manager)).toEqual(['one']);
    map.put('two', (object) => {
      object.data.more = '1';
      object.metadata.managedFields = [entry] as never;
    });
    expect(map.owned('one')).toEqual({ 'f:data': { '.': {}, 'f:key': {} } });
    expect(map.owned('two')).toEqual({ 'f:data': { 'f:more': {} } });
  });

  test('takes over from kubectl’s own apply: what was applied last is no conflict, and the annotation follows', () => {
    const key = 'kubectl.kubernetes.io/last-applied-configuration';
    const map = client('configmaps', 'a');
    const before = configMap({ key: '1' });
    map.create('kubectl-client-side-apply', {
      ...before,
      metadata: { name: 'a', annotations: { [key]: JSON.stringify(before) } },
    });
    expect(refusal(() => map.apply('other', configMap({ key: '2' }))).code).toBe(409);
    const applied = map.apply('kubectl', configMap({ key: '2' }));
    expect(applied.data).toEqual({ key: '2' });
    expect(applied.metadata.annotations?.[key]).toBe(
      '{"apiVersion":"v1","data":{"key":"2"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a","namespace":"default"}}\n',
    );
    map.put('other', (object) => Object.assign(object.data, { more: '1' }));
    expect(refusal(() => map.apply('kubectl', configMap({ key: '2', more: '2' }))).message).toBe(
      'Apply failed with 1 conflict: conflict with "other" using v1 at 2026-01-01T00:00:00Z: .data.more',
    );
  });
});

describe('properties', () => {
  const KEYS = ['a', 'b', 'c', 'd', 'e'];

  test.each([1, 2, 3, 4])('applied twice changes nothing; no manager loses a field of its own (seed %i)', (seed) => {
    const random = seededRandom(seed);
    const map = client('configmaps', 'a');
    const wanted = new Map<string, JsonMap>();
    for (let step = 0; step < 150; step++) {
      map.cluster.clock.pass(1000);
      const manager = ['one', 'two', 'three'][random.below(3)] ?? 'one';
      const keys = KEYS.filter(() => random.below(2) === 0);
      const config = configMap(Object.fromEntries(keys.map((key) => [key, String(random.below(2))])));
      const force = random.below(4) === 0;
      try {
        const applied = map.apply(manager, config, force);
        wanted.set(manager, config.data as JsonMap);
        if (force) for (const [other, data] of wanted) if (other !== manager) forget(data, config.data as JsonMap);
        expect(map.apply(manager, config), `seed ${seed}, step ${step}`).toEqual(applied);
      } catch (error) {
        if (!(error instanceof StatusError) || force) throw error;
      }
      for (const [owner, data] of wanted) {
        expect(map.read().data ?? {}, `${owner} at step ${step} of seed ${seed}`).toMatchObject(data);
      }
      const expected = new Set([...wanted.values()].flatMap((data) => Object.keys(data)));
      expect(new Set(Object.keys(map.read().data ?? {}))).toEqual(expected);
    }
  });

  /** Taken by force: no longer the other's. */
  function forget(data: JsonMap, taken: JsonMap): void {
    for (const [key, value] of Object.entries(taken))
      if (data[key] !== undefined && data[key] !== value) delete data[key];
  }
});
