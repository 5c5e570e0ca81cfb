/** What a watch costs its object while something happens; what it costs while nothing does is `idle.test.ts`. */
import { afterEach, expect, test } from 'vitest';
import type { ConfigMap } from '../../shared/api/core.ts';
import { ACKNOWLEDGE_BYTES } from '../../worker/links/watch-credit.ts';
import { TestApi } from './support/api.ts';
import { eventsOf } from './support/events.ts';
import { SimulatedCluster } from './support/simulated-time.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const map = (text: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { text } });

let simulated: SimulatedCluster | undefined;
afterEach(() => simulated?.dispose());

test('a message for every so many bytes that its client took, and none for less', async () => {
  const api = new TestApi('watch-cost');
  const made = await api.json<ConfigMap>('POST', MAPS, { body: map('') });
  const from = made.metadata.resourceVersion;
  const events = eventsOf(await api.fetch('GET', `${MAPS}?watch=1&resourceVersion=${from}`));
  simulated = await SimulatedCluster.start(api);
  const change = (text: string) => api.json('PUT', `${MAPS}/a`, { body: map(text) });
  for (let index = 0; index < 50; index += 1) await change(`${index}`);
  await events.told(50);
  expect(simulated.meter.take()).toMatchObject({ messages: 0 });
  const changes = 30;
  const text = 'x'.repeat(100 * 1024);
  for (let index = 0; index < changes; index += 1) await change(`${index}${text}`);
  await events.told(changes);
  const { messages } = simulated.meter.take();
  expect(messages).toBeGreaterThan(0);
  expect(messages).toBeLessThanOrEqual((changes * (text.length + 1024)) / ACKNOWLEDGE_BYTES + 1);
  await events.cancel();
});
