/** Watchers and API chunking: each test does what the conformance line of its name says. */
import { describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { TestApi } from '../support/api.ts';
import { eventsOf } from '../support/events.ts';

const api = new TestApi('watchers');
const MERGE = { 'content-type': 'application/merge-patch+json' };

/** A namespace of its own for each test. */
async function collection(name: string): Promise<string> {
  await api.json('POST', '/api/v1/namespaces', { body: { metadata: { name } } });
  await api.json('GET', `/api/v1/namespaces/${name}/configmaps`);
  return `/api/v1/namespaces/${name}/configmaps`;
}

const map = (name: string, label = 'watch', data: Record<string, string> = {}) => ({
  metadata: { name, labels: { 'watch-this': label } },
  data,
});
const revisionOf = (object: { metadata: { resourceVersion?: string } }) => object.metadata.resourceVersion ?? '';

const listOf = (path: string) => api.json<KubeList<ConfigMap>>('GET', path);

describe('Watchers', () => {
  test('[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]', async () => {
    const path = await collection('adds');
    const from = revisionOf(await listOf(path));
    const watch = async (selector: string) =>
      eventsOf(await api.fetch('GET', `${path}?watch=1&resourceVersion=${from}&labelSelector=${selector}`));
    const [onlyA, onlyB, both] = await Promise.all([
      watch('watch-this=a'),
      watch('watch-this=b'),
      watch('watch-this+in+(a,b)'),
    ]);
    await api.json('POST', path, { body: map('a', 'a') });
    for (const value of ['1', '2']) await api.json('PATCH', `${path}/a`, { body: { data: { value } }, headers: MERGE });
    await api.json('DELETE', `${path}/a`);
    await api.json('POST', path, { body: map('b', 'b') });
    await api.json('DELETE', `${path}/b`);
    const ofA = ['ADDED a', 'MODIFIED a', 'MODIFIED a', 'DELETED a'];
    const ofB = ['ADDED b', 'DELETED b'];
    expect(await onlyA.told(4)).toEqual(ofA);
    expect(await onlyB.told(2)).toEqual(ofB);
    expect(await both.told(6)).toEqual([...ofA, ...ofB]);
    for (const each of [onlyA, onlyB, both]) await each.cancel();
  });

  test('[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]', async () => {
    const path = await collection('starts');
    await api.json('POST', path, { body: map('a') });
    const first = await api.json<ConfigMap>('PATCH', `${path}/a`, { body: { data: { value: '1' } }, headers: MERGE });
    await api.json('PATCH', `${path}/a`, { body: { data: { value: '2' } }, headers: MERGE });
    await api.json('DELETE', `${path}/a`);
    const events = eventsOf(await api.fetch('GET', `${path}?watch=1&resourceVersion=${revisionOf(first)}`));
    expect(await events.next()).toMatchObject({ type: 'MODIFIED', object: { data: { value: '2' } } });
    expect(await events.next()).toMatchObject({ type: 'DELETED', object: { data: { value: '2' } } });
    await events.cancel();
  });

  test('[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch [Conformance]', async () => {
    const path = await collection('restarts');
    const from = revisionOf(await listOf(path));
    const first = eventsOf(await api.fetch('GET', `${path}?watch=1&resourceVersion=${from}&labelSelector=watch-this`));
    await api.json('POST', path, { body: map('a') });
    await api.json('PATCH', `${path}/a`, { body: { data: { value: '1' } }, headers: MERGE });
    await first.next();
    const { object } = await first.next();
    await first.cancel();
    await api.json('PATCH', `${path}/a`, { body: { data: { value: '2' } }, headers: MERGE });
    await api.evict();
    const query = `watch=1&resourceVersion=${revisionOf(object)}&labelSelector=watch-this`;
    const second = eventsOf(await api.fetch('GET', `${path}?${query}`));
    await api.json('DELETE', `${path}/a`);
    expect(await second.next()).toMatchObject({ type: 'MODIFIED', object: { data: { value: '2' } } });
    expect(await second.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'a' } } });
    await second.cancel();
  });

  test('[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector [Conformance]', async () => {
    const path = await collection('ceases');
    const from = revisionOf(await listOf(path));
    const query = `watch=1&resourceVersion=${from}&labelSelector=watch-this%3Dyes`;
    const events = eventsOf(await api.fetch('GET', `${path}?${query}`));
    const patch = (label: string, value: string) =>
      api.json<ConfigMap>('PATCH', `${path}/a`, {
        body: { metadata: { labels: { 'watch-this': label } }, data: { value } },
        headers: MERGE,
      });
    await api.json('POST', path, { body: map('a', 'yes') });
    await patch('yes', '1');
    const away = await patch('no', '2');
    await patch('no', '3');
    await patch('yes', '4');
    await api.json('DELETE', `${path}/a`);
    expect(await events.told(2)).toEqual(['ADDED a', 'MODIFIED a']);
    // As it last matched, at the revision at which it ceased to.
    expect(await events.next()).toMatchObject({
      type: 'DELETED',
      object: {
        metadata: { labels: { 'watch-this': 'yes' }, resourceVersion: revisionOf(away) },
        data: { value: '1' },
      },
    });
    expect(await events.next()).toMatchObject({ type: 'ADDED', object: { data: { value: '4' } } });
    expect(await events.next()).toMatchObject({ type: 'DELETED', object: { data: { value: '4' } } });
    await events.cancel();
  });

  test('[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]', async () => {
    const path = await collection('orders');
    const from = Number(revisionOf(await listOf(path)));
    const names = ['a', 'b', 'c', 'd'];
    const writing = (async () => {
      for (const name of names) await api.json('POST', path, { body: map(name) });
      for (const name of names)
        await api.json('PATCH', `${path}/${name}`, { body: { data: { n: '1' } }, headers: MERGE });
      for (const name of names) await api.json('DELETE', `${path}/${name}`);
    })();
    const first = eventsOf(await api.fetch('GET', `${path}?watch=1&resourceVersion=${from}`));
    const order: string[] = [];
    for (let count = 0; count < names.length * 3; count++) order.push(revisionOf((await first.next()).object));
    await writing;
    expect(order).toEqual([...order].sort((a, b) => Number(a) - Number(b)));
    for (const [index, revision] of order.slice(0, -1).entries()) {
      const events = eventsOf(await api.fetch('GET', `${path}?watch=1&resourceVersion=${revision}`));
      for (const expected of order.slice(index + 1)) expect(revisionOf((await events.next()).object)).toBe(expected);
      await events.cancel();
    }
    await first.cancel();
  });
});

describe('API chunking', () => {
  const templates = '/api/v1/namespaces/default/configmaps';
  const count = 40;
  const path = (query: string) => `${templates}?labelSelector=${query}`;

  async function make(label: string): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `${label}-${String(index).padStart(4, '0')}`);
    for (const name of names) await api.json('POST', templates, { body: map(name, label) });
    return names;
  }
  const namesOf = (list: KubeList<KubeObject>) => list.items.map((each) => each.metadata.name);

  test('[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]', async () => {
    const names = await make('chunk');
    for (const limit of [1, 7, 17, 39]) {
      const found: string[] = [];
      let token = '';
      let revision = '';
      do {
        const list = await listOf(`${path('watch-this%3Dchunk')}&limit=${limit}&continue=${token}`);
        expect(list.items.length).toBeLessThanOrEqual(limit);
        revision ||= revisionOf(list);
        expect(revisionOf(list)).toBe(revision);
        // Kubernetes: what is left is not counted with a selector.
        expect(list.metadata.remainingItemCount).toBeUndefined();
        token = list.metadata.continue ?? '';
        found.push(...namesOf(list));
      } while (token !== '');
      expect(found).toEqual(names);
    }
    expect(namesOf(await listOf(path('watch-this%3Dchunk')))).toEqual(names);
    const all = (await listOf(templates)).items.length;
    const part = await listOf(`${templates}?limit=3`);
    expect(part.metadata.remainingItemCount).toBe(all - 3);
  });

  test('[sig-api-machinery] Servers with support for API chunking should support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow] [Conformance]', async () => {
    const names = await make('compact');
    const selector = path('watch-this%3Dcompact');
    const first = await listOf(`${selector}&limit=10`);
    const token = first.metadata.continue ?? '';
    await api.json('POST', templates, { body: map('compact-9999', 'compact') });
    await api.compact();
    const gone = await api.refusal('GET', `${selector}&limit=10&continue=${token}`);
    expect(gone).toMatchObject({ http: 410, reason: 'Expired' });
    const fresh = gone.metadata?.continue ?? '';
    expect(fresh).not.toBe(token);
    const second = await listOf(`${selector}&limit=10&continue=${fresh}`);
    expect(namesOf(second)).toEqual(names.slice(10, 20));
    expect(Number(revisionOf(second))).toBeGreaterThan(Number(revisionOf(first)));
    const rest = await listOf(`${selector}&continue=${second.metadata.continue}`);
    expect(namesOf(rest)).toEqual([...names.slice(20), 'compact-9999']);
    expect(revisionOf(rest)).toBe(revisionOf(second));
  });
});
