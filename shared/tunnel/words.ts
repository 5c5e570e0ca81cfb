/**
 * The JSON that the two ends of a stream tell each other, from its bytes to its types: heads and ends. What an opener asks for
 * is judged by who answers it (`agent/link/streams.ts`).
 */
import { decodeJson, ProtocolError } from './frames.ts';
import type { StreamEnd, StreamHead } from './kinds.ts';

/** @throws ProtocolError when a reader could not do with it what heads are for. */
export function parseHead(payload: Uint8Array): StreamHead {
  const head = decodeJson<StreamHead>(payload);
  const isSound =
    isObject(head) && (head.ok === true ? isAnswer(head.http) : head.ok === false && isStatus(head.status));
  if (!isSound) throw new ProtocolError('the head of an answer is malformed');
  return head;
}

/** @throws ProtocolError */
export function parseEnd(payload: Uint8Array): StreamEnd {
  const end = decodeJson<StreamEnd>(payload);
  const isSound = isObject(end) && isOptional(end.error, isText) && isOptional(end.status, isStatus);
  if (!isSound) throw new ProtocolError('the end of a stream is malformed');
  return end;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value);
const isWithin = (value: unknown, least: number, most: number) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

/** A Status; its code, where it has one, becomes that of an answer. */
const isStatus = (value: unknown): boolean =>
  isObject(value) &&
  isOptional(value.code, (code) => isWithin(code, 200, 599)) &&
  isOptional(value.reason, isText) &&
  isOptional(value.message, isText);

/** What a Response can be made of. */
const isAnswer = (value: unknown): boolean =>
  value === undefined ||
  (isObject(value) &&
    (value.status === 101 || isWithin(value.status, 200, 599)) &&
    isText(value.statusText) &&
    !UNPRINTABLE.test(value.statusText) &&
    Array.isArray(value.headers) &&
    value.headers.every(isHeader));

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a header must not have.
const UNPRINTABLE = /[\x00\r\n]/;

const isHeader = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every(isText) &&
  HEADER_NAME.test(value[0] as string) &&
  !UNPRINTABLE.test(value[1] as string);
