/**
 * What one pod's life costs, as the platform bills it: made, scheduled, running, deleted, gone, with the whole control plane
 * and a minion that needs no container for it. `npm run bench -- pod-life` prints it.
 */
import { afterEach, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeMinion } from '../support/fake-minion.ts';
import type { Usage } from '../support/meter.ts';
import { TestApi } from './support/api.ts';
import { fakeMinion, tokenMinion } from './support/fake-minions.ts';
import { SimulatedCluster } from './support/simulated-time.ts';

const PODS = '/api/v1/namespaces/default/pods';

let simulated: SimulatedCluster | undefined;
afterEach(() => simulated?.dispose());

const podOf = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx' }] },
});

/** Waits for what the minion hears and says, not for what the object holds: asking would be a request of its own. */
async function live(api: TestApi, minion: FakeMinion, name: string): Promise<void> {
  const { reported } = minion;
  const path = `default/${name}`;
  expect(await api.code('POST', PODS, { body: podOf(name) })).toBe(201);
  await eventually(`${name} runs`, () => minion.reported > reported && minion.settled);
  expect(await api.code('DELETE', `${PODS}/${name}`)).toBe(200);
  await eventually(`${name} is gone`, () => !minion.pods.has(path) && minion.settled);
}

test('a pod’s life costs two requests of its owner, one for its token, a few messages and a known number of rows', async (context) => {
  const api = new TestApi('pod-life');
  const cluster = await SimulatedCluster.start(api);
  simulated = cluster;
  const minion = tokenMinion(api, 'm1');
  await eventually('the minion has its first delta', () => minion.applied > 0);
  await live(api, minion, 'warm-up');
  cluster.meter.take();
  await live(api, minion, 'web');
  // The acknowledgement of the last delta may still be on its way.
  const used: Usage = { ...cluster.meter.take() };
  await eventually('the last acknowledgement is in', () => {
    const { messages, rowsRead, rowsWritten } = cluster.meter.take();
    used.messages += messages;
    used.rowsRead += rowsRead;
    used.rowsWritten += rowsWritten;
    return messages === 0;
  });
  (context.task.meta as { usage?: Usage }).usage = used;
  expect(await api.code('GET', `${PODS}/web`)).toBe(404);
  expect(used.requests).toBe(3);
  // Two reports, and an acknowledgement of each delta: bound, under deletion, gone.
  expect(used.messages).toBe(5);
  expect(used.rowsWritten).toBeLessThanOrEqual(24);
});

test('what a minion is told of a pod is what is stored', async () => {
  const api = new TestApi('pod-told');
  const minion = fakeMinion(api, 'm1');
  await eventually('the minion has its first delta', () => minion.applied > 0);
  const made = await api.json<Pod>('POST', PODS, { body: podOf('web') });
  await eventually('it runs', () => minion.reported > 0);
  const pod = await api.json<Pod>('GET', `${PODS}/web`);
  expect(minion.pods.get('default/web')?.uid).toBe(made.metadata.uid);
  expect([pod.spec.nodeName, pod.status?.phase]).toEqual(['m1', 'Running']);
});
