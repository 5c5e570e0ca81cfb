/** Paths below a pod that change one part of its spec, inside workerd: pods/ephemeralcontainers and pods/resize. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Container, EphemeralContainer, Pod, PodSpec, ResourceQuota } from '../../shared/api/core.ts';
import type { Status } from '../../shared/api/meta.ts';
import { TestApi } from './support/api.ts';

const PODS = '/api/v1/namespaces/default/pods';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

const MAIN: Container = { name: 'main', image: 'nginx' };
const DEBUGGER: EphemeralContainer = { name: 'debugger', image: 'busybox', targetContainerName: 'main', stdin: true };

let count = 0;
let api: TestApi;

beforeEach(() => {
  api = new TestApi(`pod-parts-${count++}`);
});

const read = () => api.json<Pod>('GET', `${PODS}/web`);

/** A pod of another scheduler: nobody writes to it but the test. */
function create(spec: Partial<PodSpec> = {}, metadata: object = {}): Promise<Pod> {
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', ...metadata },
    spec: { containers: [MAIN], schedulerName: 'other', ...spec },
  };
  return api.json<Pod>('POST', PODS, { body });
}

const patch = (part: string, body: unknown, headers: Record<string, string> = STRATEGIC) =>
  api.json<Pod>('PATCH', `${PODS}/web/${part}`, { body, headers });

async function refusal(method: string, part: string, body: unknown, headers: Record<string, string>): Promise<string> {
  const { http, message } = await api.refusal(method, `${PODS}/web${part}`, { body, headers });
  return `${http} ${message}`;
}

describe('pods/ephemeralcontainers', () => {
  test('takes a Pod and returns it, by every kind of write, and only the list changes', async () => {
    const before = await create();
    const put = await api.json<Pod>('PUT', `${PODS}/web/ephemeralcontainers`, {
      body: {
        ...before,
        metadata: { ...before.metadata, labels: { not: 'kept' } },
        spec: { ...before.spec, priority: 7, ephemeralContainers: [DEBUGGER] },
      },
    });
    expect(put.spec.ephemeralContainers).toEqual([
      {
        ...DEBUGGER,
        imagePullPolicy: 'Always',
        resources: {},
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      },
    ]);
    const { ephemeralContainers: _, ...rest } = put.spec;
    expect(rest).toEqual(before.spec);
    expect(put.metadata).toMatchObject({ generation: 2 });
    expect(put.metadata.labels).toBeUndefined();
    await api.evict();

    await patch('ephemeralcontainers', { spec: { ephemeralContainers: [{ name: 'second', image: 'b:1' }] } });
    const listed = (await read()).spec.ephemeralContainers ?? [];
    expect(listed.map(({ name }) => name).sort()).toEqual(['debugger', 'second']);
    await patch(
      'ephemeralcontainers',
      { spec: { ephemeralContainers: [...listed, { name: 'third', image: 'b:1' }] } },
      MERGE,
    );
    await patch(
      'ephemeralcontainers',
      [{ op: 'add', path: '/spec/ephemeralContainers/-', value: { name: 'fourth', image: 'b:1' } }],
      JSON_PATCH,
    );
    const applied = await api.json<Pod>('PATCH', `${PODS}/web/ephemeralcontainers?fieldManager=debugging`, {
      headers: APPLY,
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', labels: { not: 'kept' } },
        spec: { ephemeralContainers: [{ name: 'fifth', image: 'b:1' }] },
      },
    });
    expect(applied.spec.ephemeralContainers?.map(({ name }) => name).sort()).toEqual([
      'debugger',
      'fifth',
      'fourth',
      'second',
      'third',
    ]);
    expect(applied.metadata.labels).toBeUndefined();
    expect(applied.metadata.managedFields).toContainEqual(
      expect.objectContaining({ manager: 'debugging', operation: 'Apply', subresource: 'ephemeralcontainers' }),
    );
    expect(await api.json<Pod>('GET', `${PODS}/web/ephemeralcontainers`)).toEqual(await read());
  });

  test('only grows', async () => {
    await create();
    await patch('ephemeralcontainers', { spec: { ephemeralContainers: [DEBUGGER] } });
    const remove = [{ op: 'remove', path: '/spec/ephemeralContainers' }];
    expect(await refusal('PATCH', '/ephemeralcontainers', remove, JSON_PATCH)).toBe(
      '422 Pod "web" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers "debugger" may not be removed\n',
    );
    const change = { spec: { ephemeralContainers: [{ name: 'debugger', image: 'other' }] } };
    expect(await refusal('PATCH', '/ephemeralcontainers', change, STRATEGIC)).toContain(
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debugger" may not be changed\n',
    );
  });

  test.each<[string, object, string]>([
    ['ports', { ports: [{ containerPort: 80 }] }, 'ports: Forbidden: cannot be set for an Ephemeral Container'],
    [
      'resources',
      { resources: { limits: { cpu: '1' } } },
      'resources: Forbidden: cannot be set for an Ephemeral Container',
    ],
    [
      'probes',
      { livenessProbe: { exec: { command: ['true'] } } },
      'livenessProbe: Forbidden: cannot be set for an Ephemeral Container',
    ],
    [
      'hooks',
      { lifecycle: { preStop: { exec: { command: ['true'] } } } },
      'lifecycle: Forbidden: cannot be set for an Ephemeral Container',
    ],
    [
      'a restart policy',
      { restartPolicy: 'Always' },
      'restartPolicy: Forbidden: cannot be set for an Ephemeral Container',
    ],
    ['the name of another container', { name: 'main' }, 'name: Duplicate value: "main"'],
    ['a target that is not there', { targetContainerName: 'nobody' }, 'targetContainerName: Not found: "nobody"'],
    ['no image', { image: '' }, 'image: Required value'],
  ])('refuses %s', async (_, more, why) => {
    await create();
    const asked = { spec: { ephemeralContainers: [{ name: 'debugger', image: 'busybox', ...more }] } };
    const said = await refusal('PATCH', '/ephemeralcontainers', asked, STRATEGIC);
    expect(said).toContain(`spec.ephemeralContainers[0].${why}`);
    expect(said).toMatch(/^422 /);
  });

  test('refuses part of a volume', async () => {
    await create({ volumes: [{ name: 'v', emptyDir: {} }] });
    const mounts = [{ name: 'v', mountPath: '/v', subPath: 'a' }];
    const asked = { spec: { ephemeralContainers: [{ ...DEBUGGER, volumeMounts: mounts }] } };
    expect(await refusal('PATCH', '/ephemeralcontainers', asked, STRATEGIC)).toBe(
      '422 Pod "web" is invalid: spec.ephemeralContainers[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container',
    );
  });

  test('leaves static pods alone, as resizes do', async () => {
    await create({}, { annotations: { 'kubernetes.io/config.mirror': 'hash' } });
    const asked = { spec: { ephemeralContainers: [DEBUGGER] } };
    expect(await refusal('PATCH', '/ephemeralcontainers', asked, STRATEGIC)).toBe(
      '422 Pod "web" is invalid: Forbidden: static pods do not support ephemeral containers',
    );
    expect(await refusal('PATCH', '/resize', toMain({ requests: { cpu: '1' } }), STRATEGIC)).toBe(
      '422 Pod "web" is invalid: Forbidden: static pods cannot be resized',
    );
  });

  test('is the only way in: neither a create nor an update of the pod brings one', async () => {
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: { containers: [MAIN], ephemeralContainers: [DEBUGGER] },
    };
    const response = await api.fetch('POST', PODS, { body });
    expect(((await response.json()) as Status).message).toContain(
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    );
    await create();
    expect(await refusal('PATCH', '', { spec: { ephemeralContainers: [DEBUGGER] } }, STRATEGIC)).toContain(
      'spec: Forbidden: pod updates may not change fields other than',
    );
  });

  test('keeps to the level of its namespace', async () => {
    await create();
    await api.json('PATCH', '/api/v1/namespaces/default', {
      headers: MERGE,
      body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } },
    });
    const asked = { spec: { ephemeralContainers: [{ ...DEBUGGER, securityContext: { privileged: true } }] } };
    expect(await refusal('PATCH', '/ephemeralcontainers', asked, STRATEGIC)).toContain(
      '403 pods "web" is forbidden: violates PodSecurity "baseline:latest": privileged',
    );
  });

  test('is judged by policies that name it', async () => {
    await api.json('POST', '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies', {
      body: {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: 'no-debugging' },
        spec: {
          matchConstraints: {
            resourceRules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['pods/ephemeralcontainers'] },
            ],
          },
          validations: [
            {
              expression: 'object.spec.ephemeralContainers.all(c, c.image.startsWith("trusted/"))',
              message: 'not trusted',
            },
          ],
        },
      },
    });
    await api.json('POST', '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings', {
      body: {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: 'no-debugging' },
        spec: { policyName: 'no-debugging', validationActions: ['Deny'] },
      },
    });
    await create();
    const asked = { spec: { ephemeralContainers: [DEBUGGER] } };
    expect(await refusal('PATCH', '/ephemeralcontainers', asked, STRATEGIC)).toContain('not trusted');
  });
});

const resources = (cpu: string, memory: string, limits?: [string, string]) => ({
  requests: { cpu, memory },
  ...(limits === undefined ? {} : { limits: { cpu: limits[0], memory: limits[1] } }),
});
const sized = (own: Container['resources'], more: Partial<Container> = {}): Container => ({
  ...MAIN,
  ...(own === undefined ? {} : { resources: own }),
  ...more,
});
const toMain = (own: object) => ({ spec: { containers: [{ name: 'main', resources: own }] } });

describe('pods/resize', () => {
  test('changes cpu and memory, and nothing else', async () => {
    const before = await create({ containers: [sized(resources('100m', '64Mi', ['200m', '128Mi']))] });
    const after = await patch('resize', {
      metadata: { labels: { not: 'kept' } },
      spec: {
        containers: [
          { name: 'main', image: 'other', resources: { requests: { cpu: '150m' }, limits: { cpu: '300m' } } },
        ],
      },
    });
    expect(after.spec.containers[0]).toEqual({
      ...before.spec.containers[0],
      resources: resources('150m', '64Mi', ['300m', '128Mi']),
    });
    expect(after.metadata.generation).toBe(2);
    expect(after.metadata.labels).toBeUndefined();
    expect(after.metadata.managedFields).toContainEqual(expect.objectContaining({ subresource: 'resize' }));
    await api.evict();
    const put = await api.json<Pod>('PUT', `${PODS}/web/resize`, {
      body: { ...after, spec: { ...after.spec, containers: [sized(resources('160m', '64Mi', ['300m', '128Mi']))] } },
    });
    expect(put.spec.containers[0]?.resources?.requests?.cpu).toBe('160m');
    const applied = await api.json<Pod>('PATCH', `${PODS}/web/resize?fieldManager=vpa&force=true`, {
      headers: APPLY,
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web' },
        spec: { containers: [{ name: 'main', resources: { requests: { cpu: '170m' } } }] },
      },
    });
    expect(applied.spec.containers[0]?.resources?.requests).toEqual({ cpu: '170m', memory: '64Mi' });
    expect(applied.spec.containers[0]?.image).toBe('nginx');
    expect(await api.json<Pod>('GET', `${PODS}/web/resize`)).toEqual(await read());
  });

  const BURSTABLE = sized({ requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '128Mi' } });
  const INIT: Container = { name: 'init', image: 'i:1', resources: { requests: { cpu: '10m' } } };
  const SIDE: Container = { ...INIT, name: 'side', restartPolicy: 'Always' };

  test.each<[string, Partial<PodSpec>, unknown, string, Record<string, string>?]>([
    [
      'a request above its limit',
      { containers: [BURSTABLE] },
      toMain({ requests: { cpu: '500m' } }),
      'spec.containers[0].resources.requests: Invalid value: "500m": must be less than or equal to cpu limit of 200m',
    ],
    [
      'another class of service',
      { containers: [BURSTABLE] },
      toMain({ requests: { cpu: '200m', memory: '128Mi' } }),
      'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
    ],
    [
      'the removal of a request',
      { containers: [BURSTABLE] },
      toMain({ requests: { memory: null }, limits: { memory: null } }),
      '[spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed, spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed]',
    ],
    [
      'a resource of another kind',
      { containers: [BURSTABLE] },
      toMain({ limits: { 'ephemeral-storage': '1Gi' } }),
      'spec: Forbidden: only cpu and memory resources are mutable',
    ],
    [
      'another resize policy',
      { containers: [BURSTABLE] },
      {
        spec: { containers: [{ name: 'main', resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] }] },
      },
      'spec: Forbidden: only cpu and memory resources are mutable',
    ],
    [
      'an init container',
      { containers: [BURSTABLE], initContainers: [INIT] },
      { spec: { initContainers: [{ name: 'init', resources: { requests: { cpu: '20m' } } }] } },
      'spec: Forbidden: resources for non-sidecar init containers are immutable',
    ],
    [
      'storage of a sidecar',
      { containers: [BURSTABLE], initContainers: [SIDE] },
      { spec: { initContainers: [{ name: 'side', resources: { requests: { 'ephemeral-storage': '1Gi' } } }] } },
      'spec: Forbidden: only cpu and memory resources for sidecar containers are mutable',
    ],
    [
      'a container more',
      { containers: [BURSTABLE] },
      { spec: { containers: [{ name: 'more', image: 'm:1' }] } },
      'spec.containers: Forbidden: containers may not be added or removed on resize',
    ],
    [
      'another name',
      { containers: [BURSTABLE] },
      [{ op: 'replace', path: '/spec/containers/0/name', value: 'other' }],
      'spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize',
      JSON_PATCH,
    ],
  ])('refuses %s', async (_, spec, body, why, headers = STRATEGIC) => {
    await create(spec);
    expect(await refusal('PATCH', '/resize', body, headers)).toBe(`422 Pod "web" is invalid: ${why}`);
  });

  test('reaches sidecars', async () => {
    await create({ containers: [BURSTABLE], initContainers: [SIDE] });
    const after = await patch('resize', {
      spec: { initContainers: [{ name: 'side', resources: { requests: { cpu: '20m' } } }] },
    });
    expect(after.spec.initContainers?.[0]?.resources?.requests?.cpu).toBe('20m');
  });

  test('is the only way: an update of the pod changes no resources', async () => {
    await create({ containers: [BURSTABLE] });
    const said = await refusal('PATCH', '', toMain({ requests: { cpu: '150m' } }), STRATEGIC);
    expect(said).toContain('422 Pod "web" is invalid: spec: Forbidden: pod updates may not change fields other than');
  });

  test('is refused where the node does not say what containers have', async () => {
    const { metadata } = await create({ containers: [BURSTABLE] });
    const status = { name: 'main', ready: true, restartCount: 0, image: '', imageID: '', state: { running: {} } };
    await patch('status', { metadata: { uid: metadata.uid }, status: { containerStatuses: [status] } });
    expect(await refusal('PATCH', '/resize', toMain({ requests: { cpu: '150m' } }), STRATEGIC)).toBe(
      '422 Pod "web" is invalid: spec: Forbidden: Pod running on node without support for resize',
    );
  });

  test('refuses resize policies that mean nothing', async () => {
    const policies = [
      { resourceName: 'cpu', restartPolicy: 'Sometimes' },
      { resourceName: 'disk', restartPolicy: 'NotRequired' },
      { resourceName: 'cpu', restartPolicy: 'RestartContainer' },
    ];
    const response = await api.fetch('POST', PODS, {
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web' },
        spec: { restartPolicy: 'Never', containers: [{ ...MAIN, resizePolicy: policies }] },
      },
    });
    const { details } = (await response.json()) as Status;
    expect(details?.causes?.map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'spec.containers[0].resizePolicy: Unsupported value: "Sometimes": supported values: "NotRequired", "RestartContainer"',
      "spec.containers[0].resizePolicy: Invalid value: \"Sometimes\": must be 'NotRequired' when `restartPolicy` is 'Never'",
      'spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"',
      'spec.containers[0].resizePolicy[2]: Duplicate value: "cpu"',
      "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'",
    ]);
  });

  test('is booked in quotas: at once when it grows, when the minion has done it when it shrinks', async () => {
    await api.json('POST', '/api/v1/namespaces/default/resourcequotas', {
      body: {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'bounds' },
        spec: { hard: { 'requests.cpu': '500m' } },
      },
    });
    const used = async () =>
      (await api.json<ResourceQuota>('GET', '/api/v1/namespaces/default/resourcequotas/bounds')).status?.used;
    await create({ containers: [sized({ requests: { cpu: '100m' } })] });
    const had = (cpu: string) => ({
      status: {
        containerStatuses: [
          {
            name: 'main',
            ready: true,
            restartCount: 0,
            image: '',
            imageID: '',
            state: { running: {} },
            allocatedResources: { cpu },
            resources: { requests: { cpu } },
          },
        ],
      },
    });
    await patch('status', had('100m'));
    expect(await refusal('PATCH', '/resize', toMain({ requests: { cpu: '600m' } }), STRATEGIC)).toBe(
      '403 pods "web" is forbidden: exceeded quota: bounds, requested: requests.cpu=500m, used: requests.cpu=100m, limited: requests.cpu=500m',
    );
    await patch('resize', toMain({ requests: { cpu: '400m' } }));
    expect(await used()).toEqual({ 'requests.cpu': '400m' });
    await patch('status', had('400m'), MERGE);
    await patch('resize', toMain({ requests: { cpu: '200m' } }));
    expect(await used()).toEqual({ 'requests.cpu': '400m' });
    await patch('status', had('200m'), MERGE);
    expect(await used()).toEqual({ 'requests.cpu': '200m' });
  });

  test('keeps to the bounds of LimitRanges', async () => {
    await create({ containers: [BURSTABLE] });
    await api.json('POST', '/api/v1/namespaces/default/limitranges', {
      body: {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'bounds' },
        spec: { limits: [{ type: 'Container', max: { cpu: '250m' } }] },
      },
    });
    expect(await refusal('PATCH', '/resize', toMain({ limits: { cpu: '300m' } }), STRATEGIC)).toBe(
      '403 pods "web" is forbidden: maximum cpu usage per Container is 250m, but limit is 300m',
    );
    await patch('resize', toMain({ limits: { cpu: '250m' } }));
  });
});
