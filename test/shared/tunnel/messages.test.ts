import { expect, test } from 'vitest';
import {
  encodeMessage,
  MAX_SOCKET_MESSAGE_BYTES,
  MessageReader,
  type SocketMessage,
} from '../../../shared/tunnel/messages.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const MESSAGES: SocketMessage[] = [
  { type: 'text', text: 'grüße' },
  { type: 'text', text: '' },
  { type: 'binary', bytes: new Uint8Array(70_000).fill(5) },
  { type: 'binary', bytes: new Uint8Array(0) },
  { type: 'close', code: 4001, reason: 'going' },
];

test.each([1, 2, 3, 4, 5])('messages come back as they were, however the bytes are cut (seed %i)', (seed) => {
  const random = seededRandom(seed).next;
  const stream = Buffer.concat(MESSAGES.map(encodeMessage));
  const reader = new MessageReader();
  const read: SocketMessage[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = 1 + Math.floor(random() * (random() < 0.3 ? 5 : 30_000));
    read.push(...reader.push(new Uint8Array(stream.subarray(at, at + length))));
    at += length;
  }
  expect(read).toEqual(MESSAGES);
});

test('a length beyond the limit is refused before anything is gathered', () => {
  const bytes = encodeMessage({ type: 'text', text: 'x' });
  new DataView(bytes.buffer).setUint32(1, MAX_SOCKET_MESSAGE_BYTES + 1);
  expect(() => new MessageReader().push(bytes)).toThrow('is too long');
});

test('a type that does not exist is refused', () => {
  const bytes = encodeMessage({ type: 'text', text: 'x' });
  bytes[0] = 9;
  expect(() => new MessageReader().push(bytes)).toThrow('no message has type 9');
});
