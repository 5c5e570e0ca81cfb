/** Server-side apply over HTTP: bodies, options, subresources, answers. What merges how is tested with the registry. */
import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { TestApi } from './support/api.ts';

const api = new TestApi('apply');
const MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

const yaml = (name: string, value: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  key: "${value}"\n`;
const managers = (object: KubeObject) =>
  object.metadata.managedFields?.map((entry) => [entry.manager, entry.operation, entry.subresource]);

describe('an apply', () => {
  test('creates with 201, changes with 200, and changes nothing with the same revision', async () => {
    const apply = (value: string, query = '') =>
      api.fetch('PATCH', `${MAPS}/a?fieldManager=m${query}`, { raw: yaml('a', value), headers: APPLY });
    const dry = await apply('0', '&dryRun=All');
    expect([dry.status, await api.code('GET', `${MAPS}/a`)]).toEqual([201, 404]);
    await dry.text();
    const made = await apply('1');
    expect(made.status).toBe(201);
    const first = (await made.json()) as ConfigMap;
    expect(managers(first)).toEqual([['m', 'Apply', undefined]]);
    const again = await apply('1');
    expect([again.status, await again.json()]).toEqual([200, first]);
    const changed = await apply('2');
    expect([changed.status, ((await changed.json()) as ConfigMap).data]).toEqual([200, { key: '2' }]);
  });

  test.each([
    ['?fieldManager=', yaml('a', '1'), 422, 'fieldManager: Required value: is required for apply patch'],
    ['?fieldManager=m', '{]', 400, 'error decoding YAML'],
    ['?fieldManager=m', 'data: {}', 400, "Object 'ApiVersion' is missing in the data"],
    ['?fieldManager=m', yaml('other', '1'), 400, 'does not match the name on the URL'],
    ['?fieldManager=m', yaml('a', '1').replace('v1', 'v7'), 400, 'Incorrect version specified in apply patch'],
    ['?fieldManager=m', `${yaml('a', '1')}foo: 1\n`, 500, '.foo: field not declared in schema'],
  ])('refuses %s with %j', async (query, raw, code, message) => {
    const refusal = await api.refusal('PATCH', `${MAPS}/a${query}`, { raw, headers: APPLY });
    expect(refusal).toMatchObject({ http: code, message: expect.stringContaining(message) });
  });

  test('has the conflict’s fields as causes, and force on other patches is refused', async () => {
    await api.json('PATCH', `${MAPS}/c?fieldManager=one`, { raw: yaml('c', '1'), headers: APPLY });
    const conflict = await api.refusal('PATCH', `${MAPS}/c?fieldManager=two`, { raw: yaml('c', '2'), headers: APPLY });
    expect(conflict).toMatchObject({
      http: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "one": .data.key',
      details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.key' }] },
    });
    const headers = { 'content-type': 'application/merge-patch+json' };
    const forced = await api.refusal('PATCH', `${MAPS}/c?force=true`, { raw: '{}', headers });
    expect(forced).toMatchObject({ http: 422, message: expect.stringContaining('force: Forbidden') });
  });

  test('owns replicas through scale, and status through status', async () => {
    const manifest = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'main', image: 'nginx' }] },
        },
      },
    };
    await api.json('PATCH', `${DEPLOYMENTS}/web?fieldManager=m`, { body: manifest, headers: APPLY });
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' }, spec: { replicas: 2 } };
    const scaled = await api.json<{ spec: object }>('PATCH', `${DEPLOYMENTS}/web/scale?fieldManager=s&force=true`, {
      body: scale,
      headers: APPLY,
    });
    expect(scaled.spec).toEqual({ replicas: 2 });
    const status = { apiVersion: 'apps/v1', kind: 'Deployment', status: { collisionCount: 3 } };
    await api.json('PATCH', `${DEPLOYMENTS}/web/status?fieldManager=t`, { body: status, headers: APPLY });
    const read = await api.json<KubeObject & { spec: object; status: object }>('GET', `${DEPLOYMENTS}/web`);
    expect([read.spec, read.status]).toMatchObject([{ replicas: 2 }, { collisionCount: 3 }]);
    expect(managers(read)).toEqual(
      expect.arrayContaining([
        ['m', 'Apply', undefined],
        ['s', 'Apply', 'scale'],
        ['t', 'Apply', 'status'],
      ]),
    );
  });
});
