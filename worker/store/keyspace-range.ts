/** A range request of etcd: filters, order, limit and what is left out, over what the keyspace reads. */

import type { KeyRange, Keyspace, KeyValue } from './keyspace.ts';
import { emptyKey } from './keyspace-error.ts';

export interface RangeRequest {
  range: KeyRange;
  /** 0 or less: now. */
  revision: number;
  /** 0: all. */
  limit: number;
  sortOrder: 'NONE' | 'ASCEND' | 'DESCEND';
  sortTarget: 'KEY' | 'VERSION' | 'CREATE' | 'MOD' | 'VALUE';
  keysOnly: boolean;
  countOnly: boolean;
  /** 0: no bound. */
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

export interface RangeAnswer {
  kvs: KeyValue[];
  more: boolean;
  /** Of the whole range, whatever the filters and the limit. */
  count: number;
}

const SORT_KEYS: Record<RangeRequest['sortTarget'], (kv: KeyValue) => string | number> = {
  KEY: (kv) => kv.key,
  VERSION: (kv) => kv.version,
  CREATE: (kv) => kv.createRevision,
  MOD: (kv) => kv.modRevision,
  VALUE: (kv) => kv.value,
};

export function answerRange(keyspace: Keyspace, request: RangeRequest): RangeAnswer {
  if (request.range.key === '') throw emptyKey();
  // A read at an unreadable revision fails, even when only the count is asked.
  if (request.countOnly) return { kvs: [], more: false, count: keyspace.count(request.range, request.revision) };
  const filtered =
    request.minModRevision > 0 ||
    request.maxModRevision > 0 ||
    request.minCreateRevision > 0 ||
    request.maxCreateRevision > 0;
  // Keys come in ascending order anyway; any other target is sorted, upwards unless said.
  const sorted = request.sortTarget !== 'KEY' || request.sortOrder === 'DESCEND';
  const whole = filtered || sorted || request.limit <= 0;
  const found = keyspace.range(request.range, request.revision, whole ? undefined : request.limit);
  const count = whole ? found.length : keyspace.count(request.range, request.revision);
  let kvs = filtered ? found.filter((kv) => isWithin(request, kv)) : found;
  if (sorted) kvs = sort(kvs, request);
  const more = request.limit > 0 && (whole ? kvs.length : count) > request.limit;
  if (more) kvs = kvs.slice(0, request.limit);
  if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: '' }));
  return { kvs, more, count };
}

const isWithin = (request: RangeRequest, kv: KeyValue): boolean =>
  kv.modRevision >= request.minModRevision &&
  (request.maxModRevision <= 0 || kv.modRevision <= request.maxModRevision) &&
  kv.createRevision >= request.minCreateRevision &&
  (request.maxCreateRevision <= 0 || kv.createRevision <= request.maxCreateRevision);

function sort(kvs: readonly KeyValue[], request: RangeRequest): KeyValue[] {
  const keyOf = SORT_KEYS[request.sortTarget];
  const sign = request.sortOrder === 'DESCEND' ? -1 : 1;
  return kvs.toSorted((left, right) => {
    const [a, b] = [keyOf(left), keyOf(right)];
    return a === b ? 0 : a < b ? -sign : sign;
  });
}
