/**
 * Requests that nobody would send, to the whole Worker: methods, paths, queries, headers and bodies broken at random. Every
 * answer is one of a Kubernetes apiserver, and none says that we were wrong. Parsers alone are `test/fuzz`.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { apiVersionOf, groupResourceOf, type Status } from '../../shared/api/meta.ts';
import { catalogOf } from '../../worker/resources/catalog.ts';
import { bytesOf, shortInputs } from '../fuzz/inputs.ts';
import { eventually } from '../support/eventually.ts';
import { newSeed, type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { MANIFESTS } from '../worker/resources/manifests.ts';
import { TestApi } from './support/api.ts';
import { ScriptedMinion } from './support/scripted-minion.ts';

const seed = newSeed({});
const REQUESTS = 2000;
const api = new TestApi('fuzz');

interface Asked {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

const TYPES = {
  json: 'application/json',
  yaml: 'application/yaml',
  jsonPatch: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};
const TOKENS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    'null',
    '""',
    '-1',
    '1e999',
    'true',
    '{}',
    '[]',
    '0',
    '\\u0000',
    '9223372036854775808',
  ],
  ...[
    '"metadata":',
    '"spec":',
    '"status":',
    '"managedFields":[{"fieldsV1":{"f:a":null}}]',
    '"name":"b"',
    '"kind":"Status"',
    '"resourceVersion":"0"',
  ],
  ...[
    '"finalizers":["x"]',
    '"ownerReferences":[{}]',
    '"deletionTimestamp":"x"',
    '"generateName":"x"',
    '"selector":{}',
    '"__proto__":{}',
    '&a ',
    '*a',
    '\n- ',
  ],
];
const QUERIES = [
  ...[
    'limit=2',
    'limit=-1',
    'limit=x',
    'continue=x',
    'resourceVersion=0',
    'resourceVersion=x',
    'resourceVersionMatch=Exact',
    'labelSelector=a%20in%20(b',
    'labelSelector=a%3Db',
  ],
  ...[
    'fieldSelector=metadata.name%3Da',
    'fieldSelector=spec.x%3Da',
    'dryRun=All',
    'dryRun=x',
    'fieldManager=m',
    'fieldManager=%00',
    'force=true',
    'force=x',
    'fieldValidation=Strict',
    'fieldValidation=x',
  ],
  ...[
    'pretty=true',
    'gracePeriodSeconds=0',
    'gracePeriodSeconds=x',
    'propagationPolicy=x',
    'orphanDependents=true',
    'timeoutSeconds=x',
    'timeout=x',
    '%zz',
    '=',
    '&&',
    'sendInitialEvents=true',
  ],
];
const HEADERS: Record<string, string>[] = [
  {},
  { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
  { accept: 'application/vnd.kubernetes.protobuf' },
  { accept: 'application/yaml' },
  { accept: 'text/html;q=x,;,' },
  { 'impersonate-user': 'x', 'impersonate-extra-%zz': 'y' },
  { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' },
  { 'audit-id': 'x'.repeat(2000) },
  { 'if-none-match': '"x"' },
];
const SUBRESOURCES = [
  'status',
  'scale',
  'log',
  'exec',
  'eviction',
  'binding',
  'token',
  'approval',
  'resize',
  'ephemeralcontainers',
  'finalize',
  'proxy',
  'portforward',
  'attach',
  'x',
];

const KINDS = catalogOf().definitions.map(({ identity }) => {
  const { group, version, resource, namespaced, kind } = identity;
  const manifest = MANIFESTS[groupResourceOf(identity)];
  const name = manifest?.name ?? 'a';
  const collection = `${group === '' ? '/api' : `/apis/${group}`}/${version}${namespaced ? '/namespaces/default' : ''}/${resource}`;
  return {
    collection,
    name,
    object: { apiVersion: apiVersionOf(identity), kind, metadata: { name }, ...manifest?.body },
  };
});

function patchOf(type: string, object: object, random: SeededRandom): string {
  if (type !== TYPES.jsonPatch) return JSON.stringify(object);
  const path = random.pick([
    '/metadata/labels',
    '/spec',
    '/status',
    '/metadata/name',
    '',
    '/metadata/managedFields',
    '/spec/x/0',
    '/kind',
  ]);
  const op = random.pick(['add', 'remove', 'replace', 'test', 'move', 'copy']);
  return JSON.stringify([{ op, path, from: '/metadata', value: random.pick([{}, [], null, 'x', 1, { a: 'b' }]) }]);
}

const broken = (text: string, random: SeededRandom): string =>
  random.chance(0.6)
    ? new TextDecoder().decode(
        [...shortInputs({ seeds: [bytesOf(text)], tokens: TOKENS, longestBytes: 0 }, 1, random)][0],
      )
    : text;

/** A value in an object becomes another, or goes: what a parser takes, and the rules behind it have to bear. */
function swapped(value: unknown, random: SeededRandom): unknown {
  if (random.chance(0.12))
    return random.pick([null, '', 'x', 0, -1, 1e12, true, [], {}, [null], [{}], { a: null }, 'x'.repeat(300)]);
  if (Array.isArray(value)) return value.map((each) => swapped(each, random));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(() => !random.chance(0.05));
  return Object.fromEntries(entries.map(([key, each]) => [key, swapped(each, random)]));
}

function asked(random: SeededRandom): Asked {
  const { collection, name, object } = random.pick(KINDS);
  const method = random.pick(['GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'PATCH', 'DELETE', 'HEAD']);
  const one = method === 'POST' ? random.chance(0.1) : random.chance(0.8);
  const below = one && random.chance(0.25) ? `/${random.pick(SUBRESOURCES)}` : '';
  let path = one
    ? `${collection}/${random.chance(0.8) ? name : random.pick(['b', '%00', 'A', '-', '..', 'é', 'x'.repeat(300)])}${below}`
    : collection;
  if (random.chance(0.1))
    path = path.slice(0, 1 + random.below(path.length)) + random.pick(['', '/', '//', '%2f', '%25', '\u0001', '*']);
  const query = Array.from({ length: random.below(3) }, () => random.pick(QUERIES)).join('&');
  const type =
    method === 'PATCH'
      ? random.pick([TYPES.jsonPatch, TYPES.merge, TYPES.strategic, TYPES.apply])
      : random.pick([TYPES.json, TYPES.json, TYPES.yaml]);
  const hasBody = !['GET', 'HEAD'].includes(method) && (method !== 'DELETE' || random.chance(0.5));
  const changed = swapped(object, random) as object;
  const text =
    method === 'PATCH'
      ? patchOf(type, changed, random)
      : JSON.stringify(method === 'DELETE' ? { gracePeriodSeconds: 0, preconditions: {} } : changed);
  return {
    method,
    path: query === '' ? path : `${path}?${query}`,
    headers: { ...random.pick(HEADERS), ...(hasBody ? { 'content-type': type } : {}) },
    body: hasBody ? broken(text, random) : undefined,
  };
}

/** What upstream, too, answers with 500. */
const UPSTREAM = [
  'resourceVersion should not be set on objects to be created',
  'etcdserver: request is too large',
  // An apply with a field that its kind does not have.
  'field not declared in schema',
];

/** What is wrong with the answer; undefined when nothing is. */
async function judge(ask: Asked): Promise<string | undefined> {
  const { method, path, headers, body } = ask;
  const response = await api.fetch(method, path, { headers, ...(body === undefined ? {} : { raw: body }) });
  const text = await response.text();
  const fault = `${response.status} ${text} for ${JSON.stringify(ask)}`;
  if (response.status === 500 && !UPSTREAM.some((message) => text.includes(message))) return fault;
  const type = response.headers.get('content-type') ?? '';
  if (method === 'HEAD' || response.status < 400 || !type.startsWith('application/json')) return undefined;
  const { kind, status, code } = JSON.parse(text) as Status;
  return kind === 'Status' && status === 'Failure' && code === response.status ? undefined : fault;
}

beforeAll(async () => {
  for (const { collection, object } of KINDS) await api.code('POST', collection, { body: object });
});
afterAll(async () => {
  expect(await api.code('GET', '/api/v1/namespaces/default')).toBe(200);
});

describe('requests at random', () => {
  test(`are all answered, none with a fault of ours (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const faults: string[] = [];
    for (let sent = 0; sent < REQUESTS; sent++) {
      const fault = await judge(asked(random));
      if (fault !== undefined) faults.push(fault);
    }
    expect(faults).toEqual([]);
  });
});

describe('messages of a minion at random', () => {
  const MESSAGES = [
    {
      type: 'hello',
      version: 1,
      node: 'm1',
      agentVersion: '0',
      machineId: 'machine-of-m1',
      registration: { labels: {}, annotations: {}, status: {} },
    },
    {
      type: 'report',
      id: 1,
      node: { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
      pods: [{ namespace: 'default', name: 'p', uid: 'u', status: { phase: 'Running' } }],
    },
    {
      type: 'report',
      id: 2,
      events: [{ involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' }, reason: 'x', message: 'y' }],
      mirrors: [{ metadata: { name: 's', annotations: {} }, spec: { containers: [] } }],
    },
    { type: 'acknowledge', epoch: 'x', revision: 1 },
    { type: 'goodbye', reason: 'x' },
  ];

  test(`end at most that minion’s own socket, without a fault of ours, and store nothing by halves (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const faults: string[] = [];
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    vi.spyOn(console, 'error').mockImplementation((line: unknown) => void faults.push(String(line)));
    const witness = await ScriptedMinion.joined(api, 'witness');
    for (let round = 0; round < 60; round++) {
      const minion = await ScriptedMinion.joined(api, 'm1');
      for (let sent = 0; sent < 5; sent++) {
        const message = random.pick(MESSAGES);
        minion.raw(
          random.chance(0.3) ? broken(JSON.stringify(message), random) : JSON.stringify(swapped(message, random)),
        );
      }
      minion.close();
    }
    await eventually('the witness is answered', async () => (await witness.report({})).type === 'reported');
    expect(witness.closes).toEqual([]);
    expect(await api.json('GET', '/api/v1/nodes/witness')).toMatchObject({ metadata: { name: 'witness' } });
    witness.close();
    vi.restoreAllMocks();
    // Each would be a message that nobody foresaw, closed with 1011.
    expect(faults).toEqual([]);
  });
});
