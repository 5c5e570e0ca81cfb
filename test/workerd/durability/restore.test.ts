/** Backup and restore through the whole Worker: who may, what watchers and minions see, and what goes on afterwards. */
import { runInDurableObject } from 'cloudflare:test';
import { afterEach, describe, expect, test } from 'vitest';
import type { ConfigMap, Node, Pod } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import { BACKUP_PATH, RESTORE_PATH, type Restored, type RestoreProgress } from '../../../shared/backup.ts';
import { minionClaims } from '../../../worker/http/tokens.ts';
import { eventually } from '../../support/eventually.ts';
import { bindings, TestApi, tokenOf } from '../support/api.ts';
import { eventsOf } from '../support/events.ts';
import { fakeMinion } from '../support/fake-minions.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
let count = 0;
const freshApi = () => new TestApi(`restore-${count++}`);

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

const configMap = (name: string, value: string) => ({ metadata: { name }, data: { value } });
const names = async (api: TestApi) => {
  const { items } = await api.json<KubeList<ConfigMap>>('GET', CONFIG_MAPS);
  return items
    .map(({ metadata, data }) => `${metadata.name}=${data?.value ?? ''}`)
    .filter((each) => !each.startsWith('kube'));
};

async function backup(api: TestApi): Promise<string[]> {
  const answer = await api.fetch('GET', BACKUP_PATH);
  expect(answer.status).toBe(200);
  return (await answer.text()).trimEnd().split('\n');
}

const begin = (api: TestApi, lines: readonly string[]) =>
  api.json<RestoreProgress>('POST', RESTORE_PATH, { raw: `${lines[0]}\n` });

const send = <T = Restored>(api: TestApi, id: string, at: number, lines: readonly string[]) =>
  api.json<T>('POST', `${RESTORE_PATH}?id=${id}&at=${at}`, { raw: lines.map((line) => `${line}\n`).join('') });

async function restore(api: TestApi, lines: readonly string[]): Promise<Restored> {
  const { id } = await begin(api, lines);
  return send(api, id, 1, lines.slice(1));
}

describe('a restore', () => {
  test('shows what was there, ends watches, and tells old revisions that they are expired', async () => {
    const api = freshApi();
    await api.json('POST', CONFIG_MAPS, { body: configMap('kept', 'one') });
    const lines = await backup(api);
    await api.json('PUT', `${CONFIG_MAPS}/kept`, { body: configMap('kept', 'two') });
    await api.json('POST', CONFIG_MAPS, { body: configMap('later', 'one') });
    const { metadata } = await api.json<KubeList<ConfigMap>>('GET', CONFIG_MAPS);
    const watch = eventsOf(
      await api.fetch('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`),
    );

    const restored = await restore(api, lines);
    expect(Number(restored.revision)).toBeGreaterThan(Number(metadata.resourceVersion));
    expect(await names(api)).toEqual(['kept=one']);
    await expect(watch.next()).rejects.toThrow('the watch ended');
    const again = eventsOf(
      await api.fetch('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`),
    );
    expect(await again.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    const exact = `?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`;
    expect(await api.refusal('GET', `${CONFIG_MAPS}${exact}`)).toMatchObject({ http: 410, reason: 'Expired' });
    // A write on what the client knew of the history that is gone.
    const stale = {
      ...configMap('kept', 'three'),
      metadata: { name: 'kept', resourceVersion: metadata.resourceVersion },
    };
    expect(await api.code('PUT', `${CONFIG_MAPS}/kept`, { body: stale })).toBe(409);

    await api.evict();
    const relisted = await api.json<KubeList<ConfigMap>>('GET', CONFIG_MAPS);
    const anew = eventsOf(
      await api.fetch('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=${relisted.metadata.resourceVersion}`),
    );
    await api.json('PUT', `${CONFIG_MAPS}/kept`, { body: configMap('kept', 'four') });
    expect(await anew.next()).toMatchObject({ type: 'MODIFIED', object: { data: { value: 'four' } } });
    await anew.cancel();
  });

  test('is followed by minions, controllers and the scheduler', async () => {
    const api = freshApi();
    const minion = fakeMinion(api, 'm1');
    undo.push(() => minion.stop());
    await eventually('the minion joined', () => minion.connected);
    const deployment = (name: string) => ({
      metadata: { name },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
      },
    });
    const running = async () => {
      const { items } = await api.json<KubeList<Pod>>('GET', PODS);
      return items
        .flatMap(({ metadata, status }) => (status?.phase === 'Running' ? [metadata.labels?.app] : []))
        .sort();
    };
    const path = '/apis/apps/v1/namespaces/default/deployments';
    await api.json('POST', path, { body: deployment('before') });
    await eventually('the first pod running', async () => (await running()).includes('before'));
    const node = await api.json<Node>('GET', '/api/v1/nodes/m1');
    const lines = await backup(api);
    await api.json('DELETE', `${path}/before`);
    await api.json('POST', path, { body: deployment('gone') });
    await eventually('the other pod alone', async () => (await running()).join() === 'gone');

    await restore(api, lines);
    await eventually('the first pod back', async () => (await running()).join() === 'before');
    await eventually('the minion ready', async () => {
      const { metadata, status } = await api.json<Node>('GET', '/api/v1/nodes/m1');
      const ready = status?.conditions?.find((each) => each.type === 'Ready')?.status;
      return minion.connected && metadata.uid === node.metadata.uid && ready === 'True';
    });
    await api.json('POST', path, { body: deployment('after') });
    await eventually('another pod', async () => (await running()).join() === 'after,before');
  });

  test('looks after minions that were there at the time of the backup, and are no more', async () => {
    const api = freshApi();
    const minion = fakeMinion(api, 'm1');
    undo.push(() => minion.stop());
    await eventually('the minion joined', () => minion.connected);
    await api.json('GET', '/api/v1/nodes/m1');
    const lines = await backup(api);
    await minion.stop('going for good');
    await api.json('DELETE', '/api/v1/nodes/m1');
    await restore(api, lines);
    await eventually('its end awaited', () =>
      runInDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster)), (_, { storage }) =>
        storage.sql
          .exec("SELECT key FROM work WHERE queue = 'node'")
          .toArray()
          .some(({ key }) => key === 'lost/m1'),
      ),
    );
  });

  test('that breaks off changes nothing, goes on after the object was lost, and can be given up', async () => {
    const api = freshApi();
    for (let i = 0; i < 8; i += 1) {
      await api.json('POST', CONFIG_MAPS, { body: configMap(`big-${i}`, String(i).repeat(200_000)) });
    }
    const lines = await backup(api);
    expect(lines.length).toBeGreaterThan(4);
    await api.json('POST', CONFIG_MAPS, { body: configMap('later', 'one') });
    const { id } = await begin(api, lines);
    expect(await send(api, id, 1, lines.slice(1, 3))).toEqual({ id, lines: 3 });
    await api.evict();
    expect((await names(api)).some((each) => each === 'later=one')).toBe(true);
    expect(await api.json('GET', `${RESTORE_PATH}?id=${id}`)).toEqual({ id, lines: 3 });
    await send(api, id, 3, lines.slice(3));
    expect((await names(api)).map((each) => each.slice(0, 5))).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((i) => `big-${i}`));
    const { id: second } = await begin(api, lines);
    expect(await api.code('DELETE', `${RESTORE_PATH}?id=${second}`)).toBe(200);
    expect(await api.refusal('GET', `${RESTORE_PATH}?id=${second}`)).toMatchObject({ http: 404, reason: 'NotFound' });
  });

  test('under writers: each is answered, and what was acknowledged after it stays', async () => {
    const api = freshApi();
    await api.json('POST', CONFIG_MAPS, { body: configMap('kept', 'one') });
    const lines = await backup(api);
    const { id } = await begin(api, lines);
    let over = false;
    const acknowledged: string[] = [];
    const codes = new Set<number>();
    const writer = async (index: number) => {
      for (let i = 0; !over; i += 1) {
        const name = `w${index}-${i}`;
        const answer = await api.fetch('POST', CONFIG_MAPS, { body: configMap(name, 'x') });
        codes.add(answer.status);
        const { metadata } = (await answer.json()) as ConfigMap;
        if (answer.status === 201) acknowledged.push(`${metadata.resourceVersion} ${name}=x`);
      }
    };
    const writers = Promise.all([0, 1, 2, 3].map(writer));
    await eventually('some writes', () => acknowledged.length > 10);
    const { revision } = await send(api, id, 1, lines.slice(1));
    const enough = acknowledged.length + 10;
    await eventually('writes after it', () => acknowledged.length > enough);
    over = true;
    await writers;
    expect([...codes].filter((code) => code !== 201 && code !== 503)).toEqual([]);
    const after = acknowledged.flatMap((each) => {
      const [at = '', name = ''] = each.split(' ');
      return Number(at) > revision ? [name] : [];
    });
    expect(await names(api)).toEqual(['kept=one', ...after].sort());
  });
});

describe('a backup', () => {
  test('is refused to minions and to service accounts without the right to its path', async () => {
    const api = freshApi();
    await api.json('GET', '/api');
    const token = await tokenOf(minionClaims(api.cluster, 'm1', 'machine'));
    for (const [method, path] of [
      ['GET', BACKUP_PATH],
      ['POST', RESTORE_PATH],
      ['POST', `${RESTORE_PATH}?rewound=1.1`],
    ] as const) {
      const body = method === 'POST' ? { raw: 'x\n' } : {};
      expect(await api.refusal(method, path, { token, ...body })).toMatchObject({ http: 403 });
      expect(await api.refusal(method, path, { token: undefined, ...body })).toMatchObject({ http: 403 });
    }
    expect(await api.refusal('POST', BACKUP_PATH)).toMatchObject({ http: 405, reason: 'MethodNotAllowed' });
  });

  test('of another cluster, or no backup at all, is refused in words', async () => {
    const [one, other] = [freshApi(), freshApi()];
    const lines = await backup(one);
    const raw = `${lines[0]}\n`;
    const refused = await other.refusal('POST', RESTORE_PATH, { raw });
    expect(refused).toMatchObject({ http: 400, reason: 'BadRequest' });
    expect(refused.message).toContain(`the backup is of cluster "${one.cluster}"`);
    expect(await other.code('POST', `${RESTORE_PATH}?anyCluster=true`, { raw })).toBe(201);
    expect((await one.refusal('POST', RESTORE_PATH, { raw: '{"kind":"List"}\n' })).message).toContain('not a backup');
  });
});

describe('a rewind', () => {
  test('is refused by name where the storage keeps no history', async () => {
    const api = freshApi();
    await api.json('POST', CONFIG_MAPS, { body: configMap('kept', 'one') });
    const at = encodeURIComponent(new Date(Date.now() - 60_000).toISOString());
    expect(await api.refusal('POST', `${RESTORE_PATH}?time=${at}`)).toMatchObject({
      http: 501,
      reason: 'NotImplemented',
      message: expect.stringContaining('no history of its storage is kept'),
    });
    expect(await names(api)).toEqual(['kept=one']);
    for (const time of ['yesterday', '2999-01-01T00:00:00Z', '2020-01-01T00:00:00Z']) {
      expect(await api.refusal('POST', `${RESTORE_PATH}?time=${time}`)).toMatchObject({ http: 400 });
    }
  });

  test('begins another history behind what was told, once the platform has set the object back', async () => {
    const api = freshApi();
    await api.json('POST', CONFIG_MAPS, { body: configMap('kept', 'one') });
    const { metadata } = await api.json<KubeList<ConfigMap>>('GET', CONFIG_MAPS);
    const asked: (string | number)[] = [];
    // What Cloudflare has and workerd has not; that it sets the tables back is the platform's part.
    await runInDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName(api.cluster)), (_, { storage }) => {
      const prototype = Object.getPrototypeOf(storage) as DurableObjectStorage;
      const { getBookmarkForTime, onNextSessionRestoreBookmark } = prototype;
      prototype.getBookmarkForTime = async (time) => {
        asked.push(Number(time));
        return 'a-bookmark';
      };
      prototype.onNextSessionRestoreBookmark = async (bookmark) => {
        asked.push(bookmark);
        return 'undo';
      };
      undo.push(() => Object.assign(prototype, { getBookmarkForTime, onNextSessionRestoreBookmark }));
    });
    const time = Math.floor(Date.now() / 1000) * 1000;
    const begun = await api.json<Restored>('POST', `${RESTORE_PATH}?time=${new Date(time).toISOString()}`);
    expect(asked).toEqual([time, 'a-bookmark']);
    expect(begun.revision).toBeGreaterThan(Number(metadata.resourceVersion));
    const watch = eventsOf(
      await api.fetch('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=${metadata.resourceVersion}`),
    );
    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410 } });
    expect(await names(api)).toEqual(['kept=one']);
  });
});
