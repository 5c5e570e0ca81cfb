/**
 * An instance of the object that another one has replaced still has its memory. The platform tells it so at its next look at
 * storage: so nothing is answered that did not look. Here every look fails, as it does there.
 */
import { runInDurableObject } from 'cloudflare:test';
import { afterEach, expect, test } from 'vitest';
import { serviceAccountClaims } from '../../../worker/http/tokens.ts';
import { bindings, TestApi, tokenOf } from '../support/api.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** From now on every statement on any object's storage fails. */
async function supersede(api: TestApi): Promise<void> {
  await runInDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster)), (_, state) => {
    const prototype = Object.getPrototypeOf(state.storage.sql) as SqlStorage;
    const { exec } = prototype;
    prototype.exec = () => {
      throw new Error('this instance is superseded');
    };
    undo.push(() => {
      prototype.exec = exec;
    });
  });
}

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crons.example.com' },
  spec: {
    group: 'example.com',
    names: { plural: 'crons', singular: 'cron', kind: 'Cron', listKind: 'CronList' },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};

const READS: [method: string, path: string, body?: unknown][] = [
  ['GET', '/api/v1/namespaces/default'],
  ['GET', '/api/v1/namespaces/default/configmaps'],
  ['GET', '/api/v1/namespaces/default/configmaps?limit=1'],
  ['GET', '/apis/example.com/v1/namespaces/default/crons'],
  ['GET', '/apis/example.org/v1/namespaces/default/unknowns'],
  ['GET', '/api/v1/configmaps?watch=1'],
  ['GET', '/apis/example.org/v1/unknowns?watch=1'],
  ['GET', '/api'],
  ['GET', '/apis'],
  ['GET', '/apis/example.com/v1'],
  ['GET', '/apis/example.org/v1'],
  ['GET', '/openapi/v2'],
  ['GET', '/openapi/v3'],
  ['GET', '/metrics'],
  ['GET', '/readyz'],
  ['GET', '/no/such/path'],
  ['POST', '/v3/kv/range', { key: btoa('a') }],
  ['POST', '/v3/lease/leases', {}],
  [
    'POST',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    { spec: { resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'default' } } },
  ],
  ['POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'a' } }],
];

test('nothing is answered from memory alone', async () => {
  const api = new TestApi('superseded');
  await api.json('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: CRD });
  const answered = async () => {
    const codes: string[] = [];
    for (const [method, path, body] of READS) {
      const response = await api.fetch(method, path, { body });
      await response.body?.cancel();
      codes.push(`${response.status < 500 ? 'answered' : 'not answered'}: ${method} ${path}`);
    }
    return codes;
  };
  // Whatever there is to remember is in memory now.
  expect(await answered()).toEqual(READS.map(([method, path]) => `answered: ${method} ${path}`));
  await supersede(api);
  expect(await answered()).toEqual(READS.map(([method, path]) => `not answered: ${method} ${path}`));
});

test('nor is anybody refused from memory alone', async () => {
  const api = new TestApi('superseded-refusals');
  const path = '/api/v1/namespaces/default/serviceaccounts/default';
  const { metadata } = await api.json<{ metadata: { uid: string } }>('GET', path);
  const account = { namespace: 'default', serviceaccount: { name: 'default', uid: metadata.uid } };
  const token = await tokenOf(serviceAccountClaims(api.cluster, account, 3600));
  expect(await api.code('GET', '/api/v1/secrets', { token })).toBe(403);
  await supersede(api);
  expect(await api.code('GET', '/api/v1/secrets', { token })).toBe(500);
});
