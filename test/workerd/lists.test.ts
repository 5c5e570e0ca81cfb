/** Lists that are longer than one stretch of the store: whole, of one revision, and made no faster than they are read. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import { TestApi } from './support/api.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

describe('a list of many objects', () => {
  const api = new TestApi('long-lists');
  const names = Array.from({ length: 240 }, (_, index) => `m${String(index).padStart(4, '0')}`);
  const text = 'aé€😀'.repeat(600);
  const mapAt = (name: string, index: number) => ({
    metadata: { name, labels: { mine: 'yes', half: String(index % 2), third: String(index % 3) } },
    data: { text },
  });
  const namesOf = (list: KubeList<ConfigMap>) => list.items.map((each) => each.metadata.name);
  const list = (query: string) => api.json<KubeList<ConfigMap>>('GET', `${MAPS}?labelSelector=mine${query}`);

  beforeAll(async () => {
    await Promise.all(names.map((name, index) => api.json('POST', MAPS, { body: mapAt(name, index) })));
  });

  test('is all of them in order, text for text what each is', async () => {
    const whole = await list('');
    expect(namesOf(whole)).toEqual(names);
    expect(whole).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' });
    expect(whole.items[100]).toEqual(await api.json('GET', `${MAPS}/${names[100]}`));
    const everywhere = await api.json<KubeList<ConfigMap>>('GET', '/api/v1/configmaps');
    expect(namesOf(everywhere).filter((name) => names.includes(name))).toEqual(names);
  });

  test.each([
    ['what an index answers', ',half=1', (index: number) => index % 2 === 1],
    ['two labels', ',half=1,third=2', (index: number) => index % 6 === 5],
    ['what no index answers', ',half!=1', (index: number) => index % 2 === 0],
    ['nothing', ',half=none', () => false],
    ['names', '&fieldSelector=metadata.name!%3Dm0007', (index: number) => index !== 7],
  ])('has of a selector for %s what it says', async (_, query, selected) => {
    expect(namesOf(await list(query))).toEqual(names.filter((_name, index) => selected(index)));
  });

  test('is the same in pages, and from a page on', async () => {
    const first = await list('&limit=100');
    expect(namesOf(first)).toEqual(names.slice(0, 100));
    expect(namesOf(await list(`&continue=${first.metadata.continue}`))).toEqual(names.slice(100));
  });

  test('is of one revision, whatever is written while it is read', async () => {
    const answer = await api.fetch('GET', `${MAPS}?labelSelector=mine`);
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let received = (await reader?.read())?.value ?? '';
    await api.json('DELETE', `${MAPS}/${names[200]}`);
    await api.json('POST', MAPS, { body: mapAt('m0150-late', 0) });
    await api.json('PUT', `${MAPS}/${names[210]}`, { body: mapAt(names[210] ?? '', 1) });
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) received += part.value;
    const whole = JSON.parse(received) as KubeList<ConfigMap>;
    expect(namesOf(whole)).toEqual(names);
    const revisions = whole.items.map((each) => Number(each.metadata.resourceVersion));
    expect(Math.max(...revisions)).toBeLessThanOrEqual(Number(whole.metadata.resourceVersion));
    expect(namesOf(await list(''))).toEqual(names.with(200, 'm0150-late').sort());
  });

  test('is the same in other forms', async () => {
    const ask = async (accept: string) => {
      const answer = await api.fetch('GET', `${MAPS}?labelSelector=mine`, { headers: { accept } });
      return (await answer.json()) as { kind: string; items?: unknown[]; rows?: unknown[] };
    };
    const table = await ask('application/json;as=Table;v=v1;g=meta.k8s.io');
    expect([table.kind, table.rows?.length]).toEqual(['Table', names.length]);
    const partial = await ask('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io');
    expect([partial.kind, partial.items?.length]).toEqual(['PartialObjectMetadataList', names.length]);
    const pretty = await api.json<KubeList<ConfigMap>>('GET', `${MAPS}?labelSelector=mine&pretty=true`);
    expect(pretty.items.length).toBe(names.length);
  });

  test('is compressed for who takes it', async () => {
    const answer = await api.fetch('GET', `${MAPS}?labelSelector=mine`, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(((await answer.json()) as KubeList<ConfigMap>).items.length).toBe(names.length);
  });
});

describe('a list of large objects', () => {
  const api = new TestApi('large-objects');
  const text = 'x'.repeat(500_000);
  const names = Array.from({ length: 24 }, (_, index) => `m${String(index).padStart(4, '0')}`);

  beforeAll(async () => {
    for (const name of names) await api.json('POST', MAPS, { body: { metadata: { name }, data: { text } } });
  });

  test('in pages: one ends before it would be too large, and says how to go on', async () => {
    const pages: string[][] = [];
    let next: string | undefined = '';
    while (next !== undefined) {
      const page: KubeList<ConfigMap> = await api.json('GET', `${MAPS}?limit=500&continue=${next}`);
      pages.push(page.items.map((each) => each.metadata.name));
      next = page.metadata.continue;
    }
    expect(pages.flat().filter((name) => names.includes(name))).toEqual(names);
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect(page.length).toBeLessThan(20);
  });

  test('as a table is whole', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const { rows } = await api.json<{ rows: { cells: unknown[] }[] }>('GET', MAPS, { headers: { accept } });
    expect(rows.map(({ cells }) => cells[0]).filter((name) => names.includes(String(name)))).toEqual(names);
  });

  test('is made no faster than it is read', async () => {
    const answer = await api.fetch('GET', MAPS);
    const reader = answer.body?.getReader();
    let received = (await reader?.read())?.value?.byteLength ?? 0;
    expect(received).toBeGreaterThan(0);
    // What was made before this can be read after it, and nothing else: the list's revision is gone.
    await api.json('POST', MAPS, { body: { metadata: { name: 'later' } } });
    await api.compact();
    const rest = async () => {
      for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
        received += part.value.byteLength;
      }
    };
    await expect(rest()).rejects.toThrow();
    expect(received).toBeLessThan(4 * text.length);
  });
});
