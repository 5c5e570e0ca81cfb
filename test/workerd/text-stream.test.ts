import { expect, test } from 'vitest';
import { streamOf } from '../../worker/http/text-stream.ts';

test('parts larger than the buffer arrive whole, characters of several bytes included', async () => {
  const parts = ['[', 'aé€😀'.repeat(200_000), '', ']'];
  expect(await new Response(streamOf(parts.values())).text()).toBe(parts.join(''));
});

test('bytes arrive among the texts, and are freed when they were taken', async () => {
  const bytes = new TextEncoder().encode('"é",');
  expect(await new Response(streamOf(['[', bytes, '"x"]'].values())).text()).toBe('["é","x"]');
  expect(bytes.byteLength).toBe(0);
});

test('a part is made when those before it were taken, and none for a client that has gone', async () => {
  let made = 0;
  const parts = function* () {
    for (;;) {
      made += 1;
      yield 'x'.repeat(1000);
    }
  };
  const reader = streamOf(parts()).getReader();
  await reader.read();
  const { done } = await reader.read();
  expect(done).toBe(false);
  expect(made).toBeLessThanOrEqual(3);
  await reader.cancel();
  const last = made;
  await Promise.resolve();
  expect(made).toBe(last);
});

test('a part that cannot be made breaks the stream off', async () => {
  const parts = function* () {
    yield 'begun';
    throw new Error('the history is compacted');
  };
  await expect(new Response(streamOf(parts())).text()).rejects.toThrow('the history is compacted');
});
