/** One query, one answer: from the cluster's zone, else from upstream. Knows messages, not sockets. */
import { decode, encode, type Answer as PacketAnswer } from 'dns-packet';
import type { Forwarder } from './forwarder.ts';
import { type Answer, type Lookup, lookup } from './lookup.ts';
import {
  badVersion,
  ednsOf,
  FORMERR,
  failure,
  HEADER_BYTES,
  idOf,
  isResponse,
  NOTIMP,
  nameEnd,
  opcodeOf,
  optRecord,
  questionOf,
  REFUSED,
  SERVFAIL,
} from './message.ts';
import type { Zone } from './records.ts';

/** Larger than this is asked for again over TCP: it would not fit a frame of the overlay. */
const MAX_UDP_BYTES = 1232;
const RCODES = { NOERROR: 0, NXDOMAIN: 3 } as const;
const RECURSION_DESIRED = 0x0100;
const TRUNCATED = 0x0200;
/** A response, authoritative, recursion available. */
const RESPONSE_FLAGS = 0x8480;
const POINTER_TO_QUESTION = Buffer.from([0xc0, HEADER_BYTES]);

export interface ResponderOptions {
  zone: () => Zone;
  forwarder: Forwarder;
  /** In [0, 1): the order of several addresses. */
  random: () => number;
}

/** undefined: not a query at all; silence is the only safe answer. */
export async function respond(
  query: Buffer,
  transport: 'udp' | 'tcp',
  options: ResponderOptions,
): Promise<Buffer | undefined> {
  if (query.length < HEADER_BYTES || isResponse(query)) return undefined;
  if (opcodeOf(query) !== 0) return failure(query, NOTIMP);
  const edns = questionOf(query) === undefined ? undefined : ednsOf(query);
  const question = edns === undefined ? undefined : decodeQuestion(query);
  if (edns === undefined || question === undefined) return failure(query, FORMERR);
  if (edns.version !== 0) return badVersion(query);
  if (question.class !== 'IN' || question.type === 'AXFR' || question.type === 'IXFR') return failure(query, REFUSED);

  const found = lookup(options.zone(), question.name, question.type);
  if (found === undefined) return (await options.forwarder.ask(query, transport)) ?? failure(query, SERVFAIL);
  const beyond = found.chase === undefined ? [] : await chase(found.chase, question.type, options.forwarder);
  const answers = shuffled([...found.answers, ...beyond], options.random);
  const limit = transport === 'tcp' ? 65_535 : Math.min(edns.udpBytes, MAX_UDP_BYTES);
  return pack(query, { ...found, answers }, edns.key !== '', limit);
}

interface Question {
  name: string;
  type: string;
  class: string;
}

function decodeQuestion(query: Buffer): Question | undefined {
  try {
    const question = decode(query).questions?.[0];
    return question === undefined
      ? undefined
      : { name: question.name, type: question.type, class: question.class ?? 'IN' };
  } catch {
    // Bytes from the network that are no DNS message: the caller answers FORMERR.
    return undefined;
  }
}

/** Stub resolvers do not follow aliases themselves: the addresses behind an external name go into the same answer. */
async function chase(target: string, type: string, forwarder: Forwarder): Promise<PacketAnswer[]> {
  const query = encode({
    type: 'query',
    id: 0,
    flags: RECURSION_DESIRED,
    questions: [{ type: type as 'A', name: target }],
  });
  const answer = (await forwarder.ask(query, 'udp')) ?? undefined;
  const full =
    answer !== undefined && (answer.readUInt16BE(2) & TRUNCATED) !== 0 ? await forwarder.ask(query, 'tcp') : answer;
  return full === undefined ? [] : (decode(full).answers ?? []);
}

/** Clients take the first address; every one should be first at times. Aliases stay in front. */
function shuffled<T extends { type: string }>(answers: readonly T[], random: () => number): T[] {
  const addresses = answers.filter((answer) => answer.type === 'A' || answer.type === 'AAAA');
  const others = answers.filter((answer) => answer.type !== 'A' && answer.type !== 'AAAA');
  for (let last = addresses.length - 1; last > 0; last -= 1) {
    const pick = Math.floor(random() * (last + 1));
    const [a, b] = [addresses[last], addresses[pick]];
    if (a !== undefined && b !== undefined) [addresses[last], addresses[pick]] = [b, a];
  }
  return [...others, ...addresses];
}

type Found = Omit<Lookup, 'answers'> & { answers: (Answer | PacketAnswer)[] };

/** Leaves out first what was not asked for, then the last answers, until it fits; then it says so. */
function pack(query: Buffer, found: Found, edns: boolean, limitBytes: number): Buffer {
  const question = questionOf(query) ?? Buffer.alloc(0);
  const answers = found.answers.map((record) => encodeRecord(record, question));
  const authorities = found.authorities.map((record) => encodeRecord(record, question));
  const additionals = found.additionals.map((record) => encodeRecord(record, question));
  const opt = edns ? [optRecord(MAX_UDP_BYTES)] : [];
  const size = (records: readonly Buffer[]) => records.reduce((sum, record) => sum + record.length, 0);

  const roomBytes = limitBytes - HEADER_BYTES - question.length - size(authorities) - size(opt);
  const kept = answers.slice(0, countThatFits(answers, roomBytes));
  const extras = kept.length === answers.length && size(answers) + size(additionals) <= roomBytes ? additionals : [];
  const truncated = kept.length < answers.length ? TRUNCATED : 0;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(idOf(query), 0);
  header.writeUInt16BE(
    RESPONSE_FLAGS | (query.readUInt16BE(2) & RECURSION_DESIRED) | truncated | RCODES[found.rcode],
    2,
  );
  for (const [index, count] of [1, kept.length, authorities.length, extras.length + opt.length].entries()) {
    header.writeUInt16BE(count, 4 + 2 * index);
  }
  return Buffer.concat([header, question, ...kept, ...authorities, ...extras, ...opt]);
}

function countThatFits(records: readonly Buffer[], roomBytes: number): number {
  let used = 0;
  const first = records.findIndex((record) => {
    used += record.length;
    return used > roomBytes;
  });
  return first < 0 ? records.length : first;
}

/** Owned by the name in question, as nearly all are: a pointer to it instead of the name again. */
function encodeRecord(record: Answer | PacketAnswer, question: Buffer): Buffer {
  const bytes = encode({ type: 'response', answers: [record as PacketAnswer] }).subarray(HEADER_BYTES);
  const end = nameEnd(bytes, 0) ?? 0;
  const same = bytes.subarray(0, end).equals(question.subarray(0, question.length - 4));
  return same ? Buffer.concat([POINTER_TO_QUESTION, bytes.subarray(end)]) : bytes;
}
