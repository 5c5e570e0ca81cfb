/** What is malformed, misplaced or too large: the Status that a Kubernetes apiserver gives, and nothing stored. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import { type Ask, TestApi } from './support/api.ts';

const api = new TestApi('bad');
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const YAML = { 'content-type': 'application/yaml' };
const PROTOBUF = { 'content-type': 'application/vnd.kubernetes.protobuf' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };

const configMap = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});
const big = (bytes: number) => configMap('big', { data: { a: 'x'.repeat(bytes) } });
const deployment = (more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'b' }] } },
    ...more,
  },
});

type Row = [
  what: string,
  method: string,
  path: string,
  ask: Ask,
  code: number,
  reason: string | undefined,
  message: RegExp | string,
];

let revision: string;
const newest = async () => (await api.json<KubeList<KubeObject>>('GET', '/api/v1/nodes')).metadata.resourceVersion;

beforeAll(async () => {
  await api.json('POST', CONFIG_MAPS, { body: configMap('there', { data: { a: 'b' } }) });
  revision = (await newest()) ?? '';
});
afterAll(async () => {
  expect(await newest(), 'something was stored').toBe(revision);
});

const BODIES: Row[] = [
  ['JSON that breaks off', 'POST', CONFIG_MAPS, { raw: '{"kind":' }, 400, 'BadRequest', /unexpected end of JSON input/],
  [
    'JSON that is none',
    'POST',
    CONFIG_MAPS,
    { raw: 'kind: x' },
    400,
    'BadRequest',
    /invalid character 'k' looking for beginning of value/,
  ],
  [
    'a list for an object',
    'POST',
    CONFIG_MAPS,
    { raw: '[]' },
    400,
    'BadRequest',
    /cannot unmarshal array into Go value/,
  ],
  ['an empty body', 'POST', CONFIG_MAPS, { raw: '' }, 400, 'BadRequest', /./],
  [
    'YAML that is none',
    'POST',
    CONFIG_MAPS,
    { raw: 'a: [', headers: YAML },
    400,
    'BadRequest',
    /error converting YAML to JSON/,
  ],
  [
    'protobuf without its envelope',
    'POST',
    CONFIG_MAPS,
    { raw: 'nonsense', headers: PROTOBUF },
    400,
    'BadRequest',
    /./,
  ],
  [
    'protobuf that breaks off',
    'POST',
    CONFIG_MAPS,
    { raw: Uint8Array.from([0x6b, 0x38, 0x73, 0, 0x0a, 0x7f]), headers: PROTOBUF },
    400,
    'BadRequest',
    /./,
  ],
  [
    'another media type',
    'POST',
    CONFIG_MAPS,
    { raw: '<x/>', headers: { 'content-type': 'text/xml' } },
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  ],
  [
    'another kind',
    'POST',
    CONFIG_MAPS,
    { body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } } },
    400,
    'BadRequest',
    'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
  ],
  [
    'a kind that nobody knows',
    'POST',
    CONFIG_MAPS,
    { body: { apiVersion: 'v1', kind: 'Nonsense', metadata: { name: 'x' } } },
    400,
    'BadRequest',
    /^Nonsense in version "v1" cannot be handled as a ConfigMap: no kind "Nonsense" is registered for version "v1"/,
  ],
  [
    'another apiVersion',
    'POST',
    DEPLOYMENTS,
    { body: { ...deployment(), apiVersion: 'apps/v1beta1' } },
    400,
    'BadRequest',
    /the API version in the data \(apps\/v1beta1\) does not match the expected API version \(apps\/v1\)|no kind "Deployment" is registered/,
  ],
  [
    'a value of the wrong type',
    'POST',
    DEPLOYMENTS,
    { body: deployment({ replicas: 'three' }) },
    400,
    'BadRequest',
    'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  ],
  [
    'unknown and duplicate fields, strictly',
    'POST',
    `${CONFIG_MAPS}?fieldValidation=Strict`,
    { raw: '{"metadata":{"name":"x"},"data":{"a":"1"},"data":{"a":"2"},"dta":{}}' },
    400,
    'BadRequest',
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data", unknown field "dta"',
  ],
  [
    'an object nested 100,000 deep',
    'POST',
    CONFIG_MAPS,
    { raw: `{"metadata":{"name":"x"},"data":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}` },
    400,
    'BadRequest',
    /nested deeper|exceeded max depth/,
  ],
];

const METADATA: Row[] = [
  [
    'another namespace than the URL’s',
    'POST',
    CONFIG_MAPS,
    { body: configMap('x', { metadata: { name: 'x', namespace: 'other' } }) },
    400,
    'BadRequest',
    'the namespace of the provided object does not match the namespace sent on the request',
  ],
  [
    'another name than the URL’s',
    'PUT',
    `${CONFIG_MAPS}/there`,
    { body: configMap('x') },
    400,
    'BadRequest',
    'the name of the object (x) does not match the name on the URL (there)',
  ],
  [
    'no name',
    'POST',
    CONFIG_MAPS,
    { body: { metadata: {} } },
    422,
    'Invalid',
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  ],
  [
    'a name that is none',
    'POST',
    CONFIG_MAPS,
    { body: configMap('Not_A_Name') },
    422,
    'Invalid',
    /^ConfigMap "Not_A_Name" is invalid: metadata\.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain must consist of/,
  ],
  [
    'a resourceVersion on create',
    'POST',
    CONFIG_MAPS,
    { body: configMap('x', { metadata: { name: 'x', resourceVersion: '7' } }) },
    500,
    '',
    'resourceVersion should not be set on objects to be created',
  ],
  [
    'a namespace that does not exist',
    'POST',
    '/api/v1/namespaces/nowhere/configmaps',
    { body: configMap('x') },
    404,
    'NotFound',
    'namespaces "nowhere" not found',
  ],
  [
    'a name that is taken',
    'POST',
    CONFIG_MAPS,
    { body: configMap('there') },
    409,
    'AlreadyExists',
    'configmaps "there" already exists',
  ],
  [
    'an update of an older revision',
    'PUT',
    `${CONFIG_MAPS}/there`,
    { body: configMap('there', { metadata: { name: 'there', resourceVersion: '1' } }) },
    409,
    'Conflict',
    'Operation cannot be fulfilled on configmaps "there": the object has been modified; please apply your changes to the latest version and try again',
  ],
  [
    'an update of what is not there',
    'PUT',
    `${CONFIG_MAPS}/absent`,
    { body: configMap('absent') },
    404,
    'NotFound',
    'configmaps "absent" not found',
  ],
  [
    'a uid that is another’s',
    'DELETE',
    `${CONFIG_MAPS}/there`,
    { body: { preconditions: { uid: 'x' } } },
    409,
    'Conflict',
    /^Operation cannot be fulfilled on configmaps "there": .*Precondition failed: UID in precondition: x, UID in object meta: /,
  ],
  [
    'deleting `default`',
    'DELETE',
    '/api/v1/namespaces/default',
    {},
    403,
    'Forbidden',
    'namespaces "default" is forbidden: this namespace may not be deleted',
  ],
];

const SIZES: Row[] = [
  [
    'a body over 3 MiB',
    'POST',
    CONFIG_MAPS,
    { body: big(3 * 1024 * 1024) },
    413,
    'RequestEntityTooLarge',
    'Request entity too large: limit is 3145728',
  ],
  [
    'a ConfigMap over 1 MiB',
    'POST',
    CONFIG_MAPS,
    { body: big(1.2 * 1024 * 1024) },
    422,
    'Invalid',
    /^ConfigMap "big" is invalid: \[?.*Too long: .*1048576/,
  ],
  [
    'an object that etcd would not take',
    'POST',
    '/api/v1/namespaces/default/events',
    {
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'big', namespace: 'default', annotations: {} },
        involvedObject: { kind: 'Pod', namespace: 'default', name: 'x' },
        message: 'x'.repeat(1.6 * 1024 * 1024),
      },
    },
    500,
    '',
    'etcdserver: request is too large',
  ],
  [
    'annotations over 256 KiB',
    'POST',
    CONFIG_MAPS,
    { body: configMap('x', { metadata: { name: 'x', annotations: { a: 'x'.repeat(300_000) } } }) },
    422,
    'Invalid',
    /metadata\.annotations: Too long: may not be more than 262144 bytes/,
  ],
];

const PATHS: Row[] = [
  [
    'a resource that is not served',
    'GET',
    '/api/v1/nonsense',
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a subresource that is none',
    'GET',
    `${CONFIG_MAPS}/there/status`,
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a namespaced thing without its namespace',
    'GET',
    '/api/v1/configmaps/there',
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a cluster-scoped thing in a namespace',
    'GET',
    '/api/v1/namespaces/default/nodes',
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a segment with a slash in it',
    'GET',
    `${CONFIG_MAPS}/a%2fb`,
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a name with a percent sign',
    'GET',
    `${CONFIG_MAPS}/a%25b`,
    {},
    400,
    'BadRequest',
    'Name parameter invalid: "a%b": may not contain \'%\'',
  ],
  ['an escape that is none', 'GET', `${CONFIG_MAPS}/%zz`, {}, 400, 'BadRequest', /invalid URL escape/],
  [
    'an empty segment',
    'GET',
    '/api/v1/namespaces//configmaps',
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  ['an object that is not there', 'GET', `${CONFIG_MAPS}/absent`, {}, 404, 'NotFound', 'configmaps "absent" not found'],
  [
    'POST to an object',
    'POST',
    `${CONFIG_MAPS}/there`,
    { body: {} },
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'PUT to a collection',
    'PUT',
    CONFIG_MAPS,
    { body: {} },
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'DELETE of all namespaces',
    'DELETE',
    '/api/v1/namespaces',
    {},
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  ['reading a review', 'GET', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {}, 405, 'MethodNotAllowed', /./],
];

const PATCHES: Row[] = [
  [
    'apply, which is not served yet',
    'PATCH',
    `${CONFIG_MAPS}/there?fieldManager=x`,
    { raw: '{}', headers: { 'content-type': 'application/apply-patch+yaml' } },
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json',
  ],
  [
    'a plain body',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: {} },
    415,
    'UnsupportedMediaType',
    /accepted media types include/,
  ],
  [
    'of what is not there',
    'PATCH',
    `${CONFIG_MAPS}/absent`,
    { body: {}, headers: MERGE_PATCH },
    404,
    'NotFound',
    'configmaps "absent" not found',
  ],
  [
    'broken JSON',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { raw: '{', headers: MERGE_PATCH },
    400,
    'BadRequest',
    /error decoding patch: unexpected end/,
  ],
  [
    'an object as JSON patch',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: {}, headers: JSON_PATCH },
    400,
    'BadRequest',
    /cannot unmarshal object into Go value of type jsonpatch\.Patch/,
  ],
  [
    'a test that fails',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: [{ op: 'test', path: '/data/a', value: 'z' }], headers: JSON_PATCH },
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    'a path that leads nowhere',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: [{ op: 'remove', path: '/data/zzz' }], headers: JSON_PATCH },
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    '10,001 operations',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/a', value: 'b' })), headers: JSON_PATCH },
    413,
    'RequestEntityTooLarge',
    'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
  ],
  [
    'an unknown directive',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: { data: { $patch: 'nonsense' } }, headers: STRATEGIC },
    400,
    'BadRequest',
    /Unknown patch type found: nonsense/,
  ],
  [
    'another revision',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: { metadata: { resourceVersion: '1' }, data: { x: 'y' } }, headers: MERGE_PATCH },
    409,
    'Conflict',
    /the object has been modified/,
  ],
  [
    'another name',
    'PATCH',
    `${CONFIG_MAPS}/there`,
    { body: { metadata: { name: 'other' } }, headers: MERGE_PATCH },
    400,
    'BadRequest',
    'the name of the object (other) does not match the name on the URL (there)',
  ],
  [
    'an unknown field, strictly',
    'PATCH',
    `${CONFIG_MAPS}/there?fieldValidation=Strict`,
    { body: { dta: {} }, headers: MERGE_PATCH },
    422,
    'Invalid',
    /^ "" is invalid: patch: Invalid value: .*strict decoding error: unknown field "dta"/,
  ],
  [
    'force without apply',
    'PATCH',
    `${CONFIG_MAPS}/there?force=true`,
    { body: {}, headers: MERGE_PATCH },
    422,
    'Invalid',
    'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
  ],
];

const QUERIES: Row[] = [
  [
    'a label selector that is none',
    'GET',
    `${CONFIG_MAPS}?labelSelector=a%3D%3D%3D`,
    {},
    400,
    'BadRequest',
    /unable to parse requirement/,
  ],
  [
    'a field that cannot be selected by',
    'GET',
    `${CONFIG_MAPS}?fieldSelector=data.a%3Db`,
    {},
    400,
    'BadRequest',
    /field label not supported/,
  ],
  [
    'a continue token of nobody',
    'GET',
    `${CONFIG_MAPS}?continue=nonsense`,
    {},
    400,
    'BadRequest',
    /^continue key is not valid/,
  ],
  [
    'a revision that is no number',
    'GET',
    `${CONFIG_MAPS}?resourceVersion=abc`,
    {},
    400,
    'BadRequest',
    /strconv\.ParseUint: parsing "abc": invalid syntax/,
  ],
  [
    'a revision from the future',
    'GET',
    `${CONFIG_MAPS}?resourceVersion=99999999`,
    {},
    504,
    'Timeout',
    /^Too large resource version: 99999999, current: /,
  ],
  [
    'a match without a revision',
    'GET',
    `${CONFIG_MAPS}?resourceVersionMatch=Exact`,
    {},
    422,
    'Invalid',
    'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
  ],
  [
    'initial events on a list',
    'GET',
    `${CONFIG_MAPS}?sendInitialEvents=true`,
    {},
    422,
    'Invalid',
    'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list',
  ],
  [
    'another dry run than All',
    'POST',
    `${CONFIG_MAPS}?dryRun=Some`,
    { body: configMap('x') },
    422,
    'Invalid',
    'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
  ],
  [
    'two ways to propagate',
    'DELETE',
    `${CONFIG_MAPS}/there`,
    { body: { propagationPolicy: 'Orphan', orphanDependents: true } },
    422,
    'Invalid',
    /orphanDependents and deletionPropagation cannot be both set/,
  ],
  [
    'a form that cannot be written',
    'GET',
    CONFIG_MAPS,
    { headers: { accept: 'image/png' } },
    406,
    'NotAcceptable',
    /only the following media types are accepted/,
  ],
  [
    'a review as a table only',
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    { body: { spec: {} }, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
    406,
    'NotAcceptable',
    /./,
  ],
];

describe.each([
  ['a body', BODIES],
  ['metadata', METADATA],
  ['a size', SIZES],
  ['a path', PATHS],
  ['a patch', PATCHES],
  ['a query', QUERIES],
])('%s:', (_group, rows) => {
  test.each(rows)('%s', async (_what, method, path, ask, code, reason, message) => {
    const status = await api.refusal(method, path, ask);
    expect(status).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', http: code, code });
    expect(status.reason ?? '', status.message).toBe(reason);
    if (typeof message === 'string') expect(status.message).toBe(message);
    else expect(status.message).toMatch(message);
  });
});

test('an API group that nobody serves is no Status, as upstream', async () => {
  const answer = await api.fetch('GET', '/apis/nobody.example/v1/things');
  expect([answer.status, await answer.text()]).toEqual([404, '404 page not found\n']);
});

test('Warn sends a header for each problem, and stores what is known', async () => {
  const answer = await api.fetch('POST', `${CONFIG_MAPS}?dryRun=All`, {
    raw: '{"metadata":{"name":"warned"},"data":{"a":"1"},"dta":{"\\"":1},"data":{"a":"2"}}',
  });
  expect(answer.status).toBe(201);
  expect(answer.headers.get('warning')).toBe('299 - "duplicate field \\"data\\"", 299 - "unknown field \\"dta\\""');
  expect(await answer.json()).toMatchObject({ data: { a: '2' } });
});

test('Ignore says nothing', async () => {
  const answer = await api.fetch('POST', `${CONFIG_MAPS}?dryRun=All&fieldValidation=Ignore`, {
    body: configMap('ignored', { dta: 1 }),
  });
  expect(answer.headers.get('warning')).toBeNull();
  expect(await answer.json()).not.toHaveProperty('dta');
});
