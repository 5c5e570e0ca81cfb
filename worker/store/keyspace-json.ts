/**
 * The JSON of etcd's gRPC gateway: bytes in base64, 64-bit numbers as texts, enums by name or number, field names in
 * either spelling, zeros left out of answers. What is asked and answered is said by the shapes of `keyspace*.ts`.
 * Source: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/ and the proto files in etcd's api/.
 */
import type { Bytes, KeyRange, KeyValue, PutRequest } from './keyspace.ts';
import { invalidSortOption, leaseProvided, RpcError, valueProvided } from './keyspace-error.ts';
import type { RangeAnswer, RangeRequest } from './keyspace-range.ts';
import type { Answer, Compare, Operation, TxnAnswer, TxnRequest } from './keyspace-txn.ts';

export type Message = Record<string, unknown>;

const isMessage = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const goKind = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

const mismatch = (value: unknown, wanted: string): RpcError =>
  new RpcError(3, `json: cannot unmarshal ${goKind(value)} into Go value of type ${wanted}`);

// ---- Requests -----------------------------------------------------------------------------------------------------

/** Numbers beyond 2^53 keep all their digits, as texts. An empty body is an empty message. */
export function parseMessage(text: string): Message {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text, ((_: string, each: unknown, context?: { source?: string }) =>
      typeof each === 'number' && !Number.isSafeInteger(each) && context?.source !== undefined
        ? context.source
        : each) as (key: string, each: unknown) => unknown);
  } catch (error) {
    throw new RpcError(3, error instanceof Error ? error.message : String(error));
  }
  if (!isMessage(value)) throw mismatch(value, 'map[string]json.RawMessage');
  return value;
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** undefined for absent and null alike. */
export function field(message: Message, name: string): unknown {
  return message[name] ?? message[camel(name)] ?? undefined;
}

export function bytesField(message: Message, name: string): Bytes {
  const value = field(message, name);
  if (value === undefined) return '';
  if (typeof value !== 'string') throw mismatch(value, '[]uint8');
  const text = value.replace(/[\r\n]/g, '');
  const bad = text.search(/[^A-Za-z0-9+/]/);
  const padded = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  if (!padded) throw new RpcError(3, `illegal base64 data at input byte ${bad === -1 ? text.length : bad}`);
  return atob(text);
}

/** Any 64-bit number, decimal. */
export function int64Field(message: Message, name: string): string {
  const value = field(message, name);
  if (value === undefined) return '0';
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw mismatch(value, 'int64');
    return String(value);
  }
  if (typeof value !== 'string') throw mismatch(value, 'int64');
  if (!/^-?[0-9]{1,19}$/.test(value) || BigInt.asIntN(64, BigInt(value)) !== BigInt(value)) {
    throw mismatch(value, 'int64');
  }
  return BigInt(value).toString();
}

/** A number that counts something here: a revision, a limit, seconds. Beyond 2^53 it is as good as infinite. */
export const numberField = (message: Message, name: string): number => Number(int64Field(message, name));

export function booleanField(message: Message, name: string): boolean {
  const value = field(message, name);
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw mismatch(value, 'bool');
  return value;
}

export function messageField(message: Message, name: string): Message | undefined {
  const value = field(message, name);
  if (value === undefined) return undefined;
  if (!isMessage(value)) throw mismatch(value, 'map[string]json.RawMessage');
  return value;
}

export function messagesField(message: Message, name: string): Message[] {
  const value = field(message, name);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw mismatch(value, '[]json.RawMessage');
  return value.map((each: unknown) => {
    if (!isMessage(each)) throw mismatch(each, 'map[string]json.RawMessage');
    return each;
  });
}

/** @param type the enum's name in etcd's proto, for the refusal. */
export function enumValue<T extends string>(value: unknown, names: readonly T[], type: string): T {
  const found = typeof value === 'number' ? names[value] : names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new RpcError(3, `unknown value ${JSON.stringify(value)} for enum ${type}`);
}

function enumField<T extends string>(message: Message, name: string, names: readonly [T, ...T[]], type: string): T {
  const value = field(message, name);
  return value === undefined ? names[0] : enumValue(value, names, type);
}

/** etcd: a range_end of one zero byte is "from the key on"; none is "the key alone". */
export function rangeOf(message: Message): KeyRange {
  const end = bytesField(message, 'range_end');
  return { key: bytesField(message, 'key'), end: end === '' ? undefined : end === '\0' ? '' : end };
}

const SORT_ORDERS = ['NONE', 'ASCEND', 'DESCEND'] as const;
const SORT_TARGETS = ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE'] as const;

export function rangeRequestOf(message: Message): RangeRequest {
  for (const [name, names] of [
    ['sort_order', SORT_ORDERS],
    ['sort_target', SORT_TARGETS],
  ] as const) {
    const value = field(message, name);
    if (typeof value === 'number' && names[value] === undefined) throw invalidSortOption();
  }
  return {
    range: rangeOf(message),
    revision: numberField(message, 'revision'),
    limit: numberField(message, 'limit'),
    sortOrder: enumField(message, 'sort_order', SORT_ORDERS, 'etcdserverpb.RangeRequest_SortOrder'),
    sortTarget: enumField(message, 'sort_target', SORT_TARGETS, 'etcdserverpb.RangeRequest_SortTarget'),
    keysOnly: booleanField(message, 'keys_only'),
    countOnly: booleanField(message, 'count_only'),
    minModRevision: numberField(message, 'min_mod_revision'),
    maxModRevision: numberField(message, 'max_mod_revision'),
    minCreateRevision: numberField(message, 'min_create_revision'),
    maxCreateRevision: numberField(message, 'max_create_revision'),
  };
}

/** @throws valueProvided, leaseProvided */
export function putRequestOf(message: Message): PutRequest {
  const request: PutRequest = {
    key: bytesField(message, 'key'),
    value: bytesField(message, 'value'),
    lease: int64Field(message, 'lease'),
    ignoreValue: booleanField(message, 'ignore_value'),
    ignoreLease: booleanField(message, 'ignore_lease'),
  };
  if (request.ignoreValue && request.value !== '') throw valueProvided();
  if (request.ignoreLease && request.lease !== '0') throw leaseProvided();
  return request;
}

const COMPARE_RESULTS = ['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL'] as const;
const COMPARE_TARGETS = ['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE'] as const;
const COMPARE_FIELDS: Record<Exclude<Compare['target'], 'VALUE'>, string> = {
  VERSION: 'version',
  CREATE: 'create_revision',
  MOD: 'mod_revision',
  LEASE: 'lease',
};

function compareOf(message: Message): Compare {
  const target = enumField(message, 'target', COMPARE_TARGETS, 'etcdserverpb.Compare_CompareTarget');
  return {
    result: enumField(message, 'result', COMPARE_RESULTS, 'etcdserverpb.Compare_CompareResult'),
    target,
    range: rangeOf(message),
    value: target === 'VALUE' ? bytesField(message, 'value') : BigInt(int64Field(message, COMPARE_FIELDS[target])),
  };
}

function operationOf(message: Message): Operation {
  const range = messageField(message, 'request_range');
  if (range !== undefined) return { type: 'range', request: rangeRequestOf(range) };
  const put = messageField(message, 'request_put');
  if (put !== undefined) {
    return { type: 'put', request: putRequestOf(put), previousWanted: booleanField(put, 'prev_kv') };
  }
  const gone = messageField(message, 'request_delete_range');
  if (gone !== undefined)
    return { type: 'delete', range: rangeOf(gone), previousWanted: booleanField(gone, 'prev_kv') };
  const txn = messageField(message, 'request_txn');
  return txn === undefined ? { type: 'none' } : { type: 'txn', request: txnRequestOf(txn) };
}

export const txnRequestOf = (message: Message): TxnRequest => ({
  compare: messagesField(message, 'compare').map(compareOf),
  success: messagesField(message, 'success').map(operationOf),
  failure: messagesField(message, 'failure').map(operationOf),
});

// ---- Answers: undefined is left out by JSON.stringify --------------------------------------------------------------

export const int64 = (value: number | string): string | undefined =>
  value === 0 || value === '0' ? undefined : String(value);
export const bytes = (value: Bytes): string | undefined => (value === '' ? undefined : btoa(value));
export const flag = (value: boolean): true | undefined => value || undefined;
export const repeated = <T>(values: readonly T[]): readonly T[] | undefined =>
  values.length === 0 ? undefined : values;

export const keyValueMessage = (kv: KeyValue): Message => ({
  key: bytes(kv.key),
  create_revision: int64(kv.createRevision),
  mod_revision: int64(kv.modRevision),
  version: int64(kv.version),
  value: bytes(kv.value),
  lease: int64(kv.lease),
});

export const rangeMessage = (header: Message, answer: RangeAnswer): Message => ({
  header,
  kvs: repeated(answer.kvs.map(keyValueMessage)),
  more: flag(answer.more),
  count: int64(answer.count),
});

export const putMessage = (header: Message, previous: KeyValue | undefined): Message => ({
  header,
  prev_kv: previous === undefined ? undefined : keyValueMessage(previous),
});

export const deleteMessage = (header: Message, deleted: number, previous: readonly KeyValue[]): Message => ({
  header,
  deleted: int64(deleted),
  prev_kvs: repeated(previous.map(keyValueMessage)),
});

/** etcd: the headers of nested answers have nothing but the revision. */
function answerMessage(answer: Answer): Message {
  switch (answer.type) {
    case 'range':
      return { response_range: rangeMessage({ revision: int64(answer.revision) }, answer.answer) };
    case 'put':
      return { response_put: putMessage({ revision: int64(answer.revision) }, answer.previous) };
    case 'delete':
      return {
        response_delete_range: deleteMessage({ revision: int64(answer.revision) }, answer.deleted, answer.previous),
      };
    case 'txn':
      return { response_txn: txnMessage({}, answer.answer) };
  }
}

export const txnMessage = (header: Message, answer: TxnAnswer): Message => ({
  header,
  succeeded: flag(answer.succeeded),
  responses: repeated(answer.answers.map(answerMessage)),
});
