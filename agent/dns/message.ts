/**
 * DNS messages as bytes, as far as forwarding needs to see them: identity, question, TTLs. What is forwarded is passed on
 * byte for byte otherwise, so record types unknown here survive. Source: RFC 1035, 6891.
 */

export const HEADER_BYTES = 12;
const QR = 0x8000;
const TC = 0x0200;
export const FORMERR = 1;
export const SERVFAIL = 2;
export const NOTIMP = 4;
export const REFUSED = 5;
const OPT = 41;
const SOA = 6;

export const idOf = (message: Buffer): number => message.readUInt16BE(0);
export const isResponse = (message: Buffer): boolean => (message.readUInt16BE(2) & QR) !== 0;
export const isTruncated = (message: Buffer): boolean => (message.readUInt16BE(2) & TC) !== 0;
export const rcodeOf = (message: Buffer): number => message.readUInt16BE(2) & 0x000f;
export const opcodeOf = (message: Buffer): number => (message.readUInt16BE(2) >> 11) & 0x000f;

export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** The one question's bytes. undefined: there is not exactly one, or it does not parse. */
export function questionOf(message: Buffer): Buffer | undefined {
  if (message.length < HEADER_BYTES || message.readUInt16BE(4) !== 1) return undefined;
  const end = nameEnd(message, HEADER_BYTES);
  if (end === undefined || end + 4 > message.length) return undefined;
  return message.subarray(HEADER_BYTES, end + 4);
}

/** Letters in lower case; lengths of labels are below 64 and so are left alone. */
export const normalQuestion = (question: Buffer): string => question.toString('latin1').toLowerCase();

/** An answer that says only that there is none, with the question when it can be read. */
export function failure(query: Buffer, rcode: number): Buffer {
  const question = questionOf(query) ?? Buffer.alloc(0);
  const answer = Buffer.alloc(HEADER_BYTES + question.length);
  // Keep the opcode and "recursion desired", add "response" and "recursion available".
  answer.writeUInt16BE(idOf(query), 0);
  answer.writeUInt16BE((query.readUInt16BE(2) & 0x7900) | QR | 0x0080 | rcode, 2);
  answer.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  question.copy(answer, HEADER_BYTES);
  return answer;
}

/** EDNS version 0, with the upper bits of a response code. */
export function optRecord(udpBytes: number, upperRcode = 0): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(OPT, 1);
  record.writeUInt16BE(udpBytes, 3);
  record.writeUInt8(upperRcode, 5);
  return record;
}

/** BADVERS (16): told with the version that is spoken. */
export function badVersion(query: Buffer): Buffer {
  const answer = failure(query, 0);
  answer.writeUInt16BE(1, 10);
  return Buffer.concat([answer, optRecord(512, 1)]);
}

export interface Lifetime {
  /** Where the TTLs are. */
  offsets: number[];
  /** How long the message may be believed. */
  seconds: number;
}

/** undefined: it cannot be kept (no record, or it does not parse). */
export function lifetimeOf(message: Buffer): Lifetime | undefined {
  const offsets: number[] = [];
  let seconds = Number.POSITIVE_INFINITY;
  let at = HEADER_BYTES + (questionOf(message)?.length ?? 0);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let record = 0; record < records; record += 1) {
    const end = nameEnd(message, at);
    if (end === undefined || end + 10 > message.length) return undefined;
    const type = message.readUInt16BE(end);
    const next = end + 10 + message.readUInt16BE(end + 8);
    if (next > message.length) return undefined;
    if (type !== OPT) {
      offsets.push(end + 4);
      seconds = Math.min(seconds, message.readUInt32BE(end + 4));
      // RFC 2308: how long "there is none" holds is the SOA's last field.
      if (type === SOA && message.readUInt16BE(6) === 0) seconds = Math.min(seconds, message.readUInt32BE(next - 4));
    }
    at = next;
  }
  return offsets.length === 0 ? undefined : { offsets, seconds };
}

export interface Edns {
  udpBytes: number;
  version: number;
  /** It carries no options. */
  plain: boolean;
  /** '' without EDNS; else what of it changes the answer. */
  key: string;
}

/** undefined: a message that does not parse. */
export function ednsOf(message: Buffer): Edns | undefined {
  let at = HEADER_BYTES + (questionOf(message)?.length ?? 0);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let record = 0; record < records; record += 1) {
    const end = nameEnd(message, at);
    if (end === undefined || end + 10 > message.length) return undefined;
    const length = message.readUInt16BE(end + 8);
    if (message.readUInt16BE(end) === OPT) {
      const udpBytes = Math.max(512, message.readUInt16BE(end + 2));
      return {
        udpBytes,
        version: message[end + 5] ?? 0,
        plain: length === 0,
        key: message.subarray(end + 2, end + 8).toString('hex'),
      };
    }
    at = end + 10 + length;
  }
  return { udpBytes: 512, version: 0, plain: true, key: '' };
}

/** Where a name that begins at `start` ends. undefined: nowhere in this message. */
export function nameEnd(message: Buffer, start: number): number | undefined {
  let at = start;
  while (at < message.length) {
    const length = message[at] ?? 0;
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2 <= message.length ? at + 2 : undefined;
    if ((length & 0xc0) !== 0) return undefined;
    at += length + 1;
  }
  return undefined;
}
