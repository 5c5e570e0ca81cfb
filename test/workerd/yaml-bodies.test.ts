/** YAML over HTTP, read in the Worker and judged in the object. What YAML means is tested with its reader. */
import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import { TestApi } from './support/api.ts';

const api = new TestApi('yaml');
const MAPS = '/api/v1/namespaces/default/configmaps';
const YAML = { 'content-type': 'application/yaml; charset=utf-8' };

/** workerd: `text()` warns of a type that is none of its texts. */
const textOf = async (answer: Response): Promise<string> => new TextDecoder().decode(await answer.arrayBuffer());

const yaml = (name: string, data: string) =>
  `# a map\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n${data}`;

describe('a body of YAML', () => {
  test('creates, replaces, and says how to delete', async () => {
    const made = await api.json<ConfigMap>('POST', MAPS, {
      raw: yaml('a', '  k: "yes"\n  l: |\n    é\n'),
      headers: YAML,
    });
    expect(made.data).toEqual({ k: 'yes', l: 'é\n' });
    const put = await api.json<ConfigMap>('PUT', `${MAPS}/a`, { raw: yaml('a', '  k: "2"\n---\n: ]['), headers: YAML });
    expect(put.data).toEqual({ k: '2' });
    const options = 'preconditions:\n  uid: other\n';
    expect(await api.code('DELETE', `${MAPS}/a`, { raw: options, headers: YAML })).toBe(409);
    expect(await api.code('DELETE', `${MAPS}/a`, { raw: '', headers: YAML })).toBe(200);
  });

  test('has its keys that stand twice told, or refused', async () => {
    const raw = yaml('twice', '  k: a\n  k: b\nspec: {}\n');
    const warned = await api.fetch('POST', `${MAPS}?dryRun=All&fieldValidation=Warn`, { raw, headers: YAML });
    expect(warned.headers.get('warning')).toContain('line 9: key \\"k\\" already set in map');
    expect(((await warned.json()) as ConfigMap).data).toEqual({ k: 'b' });
    const refused = await api.refusal('POST', `${MAPS}?fieldValidation=Strict`, { raw, headers: YAML });
    expect(refused.message).toContain('line 9: key "k" already set in map, unknown field "spec"');
  });

  test('that cannot be read is refused where any body would be: after who may, and what is there', async () => {
    const raw = 'a: b\n c: d\n';
    const asBob = { ...YAML, 'impersonate-user': 'bob' };
    expect(await api.code('POST', MAPS, { raw, headers: asBob })).toBe(403);
    expect(await api.code('POST', '/api/v1/namespaces/default/nothing', { raw, headers: YAML })).toBe(404);
    expect(await api.code('PATCH', `${MAPS}/a`, { raw, headers: YAML })).toBe(415);
    expect(await api.code('POST', MAPS, { raw, headers: { 'content-type': 'application/apply-patch+yaml' } })).toBe(
      415,
    );
    const { http, message } = await api.refusal('POST', MAPS, { raw, headers: YAML });
    expect([http, message]).toEqual([
      400,
      'the object provided is unrecognized (must be of type ConfigMap): yaml: line 2: mapping values are not allowed in this context (613a20620a20633a20640a)',
    ]);
  });

  test('may be longer as JSON than a body may be', async () => {
    const raw = yaml('long', `  k: '${'"'.repeat(2_000_000)}'\n`);
    const { message } = await api.refusal('POST', MAPS, { raw, headers: YAML });
    expect(message).toBe('ConfigMap "long" is invalid: Too long: may not be more than 1048576 bytes');
  });

  test('that is no object is refused as an apply, too', async () => {
    const headers = { 'content-type': 'application/apply-patch+yaml' };
    const { message } = await api.refusal('PATCH', `${MAPS}/a?fieldManager=m`, { raw: '- a\n', headers });
    expect(message).toBe(
      'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
    );
  });
});

test('answers are YAML for who takes nothing else: an object, a list in one piece and in many, a refusal is not', async () => {
  const headers = { accept: 'application/yaml', 'accept-encoding': 'gzip' };
  await Promise.all(
    Array.from({ length: 510 }, (_, at) =>
      api.code('POST', MAPS, {
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `m${at}`, labels: { x: 'y' } } },
      }),
    ),
  );
  const one = await api.fetch('GET', `${MAPS}/m0`, { headers });
  expect([one.headers.get('content-type'), one.headers.get('content-encoding')]).toEqual(['application/yaml', null]);
  expect(await textOf(one)).toMatch(/^kind: ConfigMap\napiVersion: v1\nmetadata:\n {2}name: m0\n/);
  for (const [query, count] of [
    ['?limit=3', 3],
    ['?labelSelector=x%3Dy', 510],
  ] as const) {
    const list = await textOf(await api.fetch('GET', `${MAPS}${query}`, { headers }));
    expect(list.match(/^- metadata:|^- kind:/gm)?.length, list.slice(0, 300)).toBe(count);
  }
  expect((await api.refusal('GET', `${MAPS}/none`, { headers })).http).toBe(404);
});
