/** Who is called back, as the platform keeps it for instances to come: in the automatic answer of a real object. */
import { runInDurableObject } from 'cloudflare:test';
import { expect, test } from 'vitest';
import { PING, PONG } from '../../shared/link/protocol.ts';
import { Recall } from '../../worker/links/recall.ts';
import { bindings } from './support/api.ts';

/** Each call stands for another instance of the object. */
const within = <T>(name: string, body: (recall: Recall, answer: () => string | undefined) => T): Promise<T> =>
  runInDurableObject(bindings.CLUSTER.get(bindings.CLUSTER.idFromName(name)), (_, state) =>
    body(new Recall(state), () => {
      const pair = state.getWebSocketAutoResponse();
      expect(pair?.request).toBe(PING);
      return pair?.response;
    }),
  );

test('names are in the answer until each is back, whichever instance hears of it', async () => {
  expect(await within('recall', (_, answer) => answer())).toBe(PONG);
  const named = await within('recall', (recall, answer) => {
    for (const node of ['m1', 'm2', 'm1']) expect(recall.add(node)).toBe(true);
    return answer();
  });
  expect(JSON.parse(named ?? '')).toEqual({ type: 'recall', nodes: ['m1', 'm2'] });
  const left = await within('recall', (recall, answer) => {
    recall.remove('m1');
    recall.remove('m3');
    return answer();
  });
  expect(JSON.parse(left ?? '')).toEqual({ type: 'recall', nodes: ['m2'] });
  const none = await within('recall', (recall, answer) => {
    recall.remove('m2');
    return answer();
  });
  expect(none).toBe(PONG);
});

test('more than the answer has room for are for later', async () => {
  await within('recall-many', (recall, answer) => {
    const added = Array.from({ length: 1000 }, (_, index) => `minion-${index}`).filter((node) => recall.add(node));
    expect(added.length).toBeGreaterThan(100);
    expect(added.length).toBeLessThan(1000);
    expect(answer()?.length).toBeLessThanOrEqual(2048);
    recall.remove('minion-0');
    expect(recall.add('minion-9')).toBe(true);
  });
});
