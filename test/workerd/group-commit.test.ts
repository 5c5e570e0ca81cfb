/** Writes that come together share a commit, and nothing else: each has its own answer, revision and fate. */
import { expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import { TestApi } from './support/api.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const body = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  ...more,
});

test('of writes that come together each succeeds or fails by itself', async () => {
  const api = new TestApi('together');
  const names = Array.from({ length: 20 }, (_, index) => `cm-${index}`);
  const codes = await Promise.all(
    names.map((name, index) =>
      // Every fourth is of no valid name; every fifth says that it must have been there.
      index % 4 === 0
        ? api.code('POST', CONFIG_MAPS, { body: body(`No_${name}`) })
        : index % 5 === 0
          ? api.code('PUT', `${CONFIG_MAPS}/${name}`, { body: body(name, { metadata: { name, uid: 'x' } }) })
          : api.code('POST', CONFIG_MAPS, { body: body(name) }),
    ),
  );
  expect(codes).toEqual(names.map((_, index) => (index % 4 === 0 ? 422 : index % 5 === 0 ? 404 : 201)));
  await api.evict();
  const { items } = await api.json<{ items: ConfigMap[] }>('GET', CONFIG_MAPS);
  const made = items.filter((each) => each.metadata.name.startsWith('cm-'));
  expect(made.map((each) => each.metadata.name).sort()).toEqual(
    names.filter((_, index) => index % 4 !== 0 && index % 5 !== 0).sort(),
  );
  expect(new Set(made.map((each) => each.metadata.resourceVersion)).size).toBe(made.length);
});

test('of writes that come together on one revision of an object one wins', async () => {
  const api = new TestApi('race');
  const made = await api.json<ConfigMap>('POST', CONFIG_MAPS, { body: body('shared') });
  const codes = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      api.code('PUT', `${CONFIG_MAPS}/shared`, { body: { ...made, data: { writer: String(index) } } }),
    ),
  );
  expect(codes.filter((code) => code === 200).length).toBe(1);
  expect(codes.filter((code) => code === 409).length).toBe(9);
});
