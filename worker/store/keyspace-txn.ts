/**
 * etcd's transactions: comparisons, then one of two lists of operations, all at one revision. What may stand in one is
 * checked before anything is done. Shapes only; their JSON is `keyspace-json.ts`.
 * Source: etcd 3.5, server/etcdserver/api/v3rpc/key.go (checks) and server/etcdserver/apply.go.
 */

import {
  type Bytes,
  isInRange,
  type KeyRange,
  type Keyspace,
  type KeyValue,
  type KeyWrite,
  type PutRequest,
} from './keyspace.ts';
import { compacted, duplicateKey, emptyKey, futureRevision, keyNotFound, tooManyOps } from './keyspace-error.ts';
import { answerRange, type RangeAnswer, type RangeRequest } from './keyspace-range.ts';
import type { Leases } from './leases.ts';

export interface Compare {
  result: 'EQUAL' | 'GREATER' | 'LESS' | 'NOT_EQUAL';
  target: 'VERSION' | 'CREATE' | 'MOD' | 'VALUE' | 'LEASE';
  range: KeyRange;
  /** What the target is compared with; the one of another target is not looked at. */
  value: Bytes | bigint;
}

export interface TxnRequest {
  compare: readonly Compare[];
  success: readonly Operation[];
  failure: readonly Operation[];
}

export type Operation =
  | { type: 'range'; request: RangeRequest }
  | { type: 'put'; request: PutRequest; previousWanted: boolean }
  | { type: 'delete'; range: KeyRange; previousWanted: boolean }
  | { type: 'txn'; request: TxnRequest }
  | { type: 'none' };

export type Answer =
  | { type: 'range'; revision: number; answer: RangeAnswer }
  | { type: 'put'; revision: number; previous: KeyValue | undefined }
  | { type: 'delete'; revision: number; deleted: number; previous: KeyValue[] }
  | { type: 'txn'; answer: TxnAnswer };

export interface TxnAnswer {
  succeeded: boolean;
  answers: Answer[];
}

const MAX_OPERATIONS = 128;

// ---- Checks -------------------------------------------------------------------------------------------------------

/** @throws emptyKey, tooManyOps, keyNotFound (an operation that is none), duplicateKey */
export function checkTxn(txn: TxnRequest): void {
  checkShape(txn);
  claimsOf(txn.success);
  claimsOf(txn.failure);
}

function checkShape(txn: TxnRequest): void {
  if (Math.max(txn.compare.length, txn.success.length, txn.failure.length) > MAX_OPERATIONS) throw tooManyOps();
  for (const compare of txn.compare) if (compare.range.key === '') throw emptyKey();
  for (const operation of [...txn.success, ...txn.failure]) {
    if (operation.type === 'none') throw keyNotFound();
    if (operation.type === 'range' && operation.request.range.key === '') throw emptyKey();
    if (operation.type === 'put' && operation.request.key === '') throw emptyKey();
    if (operation.type === 'delete' && operation.range.key === '') throw emptyKey();
    if (operation.type === 'txn') checkShape(operation.request);
  }
}

interface Claims {
  puts: Set<Bytes>;
  deletes: KeyRange[];
}

/**
 * What a list of operations writes. A key may be put once, and not both put and deleted; of two branches only one runs.
 * etcd overlooks a deletion "from the key on" here and lets one key change twice in one revision; here that is refused.
 */
function claimsOf(operations: readonly Operation[]): Claims {
  const puts = new Set<Bytes>();
  const deletes = operations.flatMap((each) => (each.type === 'delete' ? [each.range] : []));
  const claim = (key: Bytes, allowed?: ReadonlySet<Bytes>): void => {
    if (puts.has(key) && !allowed?.has(key)) throw duplicateKey();
    if (deletes.some((range) => isInRange(range, key))) throw duplicateKey();
    puts.add(key);
  };
  for (const operation of operations) {
    if (operation.type !== 'txn') continue;
    const success = claimsOf(operation.request.success);
    const failure = claimsOf(operation.request.failure);
    for (const key of success.puts) claim(key);
    for (const key of failure.puts) claim(key, success.puts);
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const operation of operations) if (operation.type === 'put') claim(operation.request.key);
  return { puts, deletes };
}

// ---- Performance --------------------------------------------------------------------------------------------------

/** A transaction with its branches chosen. */
interface Plan {
  succeeded: boolean;
  steps: readonly { operation: Operation; inner: Plan | undefined }[];
}

/** Within one transaction of the keyspace. Every comparison, inner ones too, is of what was there before it. */
export function runTxn(keyspace: Keyspace, leases: Leases, write: KeyWrite, txn: TxnRequest): TxnAnswer {
  const plan = planOf(keyspace, txn);
  checkPuts(keyspace, leases, plan);
  checkRanges(keyspace, write, plan);
  return perform(keyspace, write, plan);
}

function planOf(keyspace: Keyspace, txn: TxnRequest): Plan {
  const succeeded = txn.compare.every((compare) => holds(keyspace, compare));
  const operations = succeeded ? txn.success : txn.failure;
  const steps = operations.map((operation) => ({
    operation,
    inner: operation.type === 'txn' ? planOf(keyspace, operation.request) : undefined,
  }));
  return { succeeded, steps };
}

/** etcd: all puts are checked before all ranges. @throws keyNotFound, leaseNotFound */
function checkPuts(keyspace: Keyspace, leases: Leases, plan: Plan): void {
  for (const { operation, inner } of plan.steps) {
    if (inner !== undefined) checkPuts(keyspace, leases, inner);
    if (operation.type === 'put') checkPut(keyspace, leases, operation.request);
  }
}

/** @throws keyNotFound, leaseNotFound */
function checkPut(keyspace: Keyspace, leases: Leases, request: PutRequest): void {
  if ((request.ignoreValue || request.ignoreLease) && keyspace.count({ key: request.key, end: undefined }) === 0) {
    throw keyNotFound();
  }
  leases.require(request.lease);
}

/** What is being written is not history yet. @throws compacted, futureRevision */
function checkRanges(keyspace: Keyspace, write: KeyWrite, plan: Plan): void {
  for (const { operation, inner } of plan.steps) {
    if (inner !== undefined) checkRanges(keyspace, write, inner);
    if (operation.type !== 'range') continue;
    const { revision } = operation.request;
    if (revision > write.began) throw futureRevision();
    if (revision > 0 && revision < keyspace.compactedRevision) throw compacted();
  }
}

function perform(keyspace: Keyspace, write: KeyWrite, plan: Plan): TxnAnswer {
  const answers = plan.steps.map(({ operation, inner }): Answer => {
    if (inner !== undefined) return { type: 'txn', answer: perform(keyspace, write, inner) };
    switch (operation.type) {
      case 'range': {
        const answer = answerRange(keyspace, operation.request);
        return { type: 'range', revision: keyspace.revisionIn(write), answer };
      }
      case 'put': {
        const previous = keyspace.put(write, operation.request);
        const revision = keyspace.revisionIn(write);
        return { type: 'put', revision, previous: operation.previousWanted ? previous : undefined };
      }
      case 'delete': {
        const gone = keyspace.deleteRange(write, operation.range);
        const revision = keyspace.revisionIn(write);
        return { type: 'delete', revision, deleted: gone.length, previous: operation.previousWanted ? gone : [] };
      }
      default:
        throw keyNotFound();
    }
  });
  return { succeeded: plan.succeeded, answers };
}

/** A range holds when each of its keys does. A key that is not there has zeros, and no value that anything could equal. */
function holds(keyspace: Keyspace, compare: Compare): boolean {
  const found = keyspace.range(compare.range);
  if (found.length > 0) return found.every((kv) => compareOne(compare, kv));
  if (compare.target === 'VALUE') return false;
  return compareOne(compare, { key: '', createRevision: 0, modRevision: 0, version: 0, value: '', lease: '0' });
}

function compareOne(compare: Compare, kv: KeyValue): boolean {
  const actual: Record<Compare['target'], Bytes | bigint> = {
    VERSION: BigInt(kv.version),
    CREATE: BigInt(kv.createRevision),
    MOD: BigInt(kv.modRevision),
    VALUE: kv.value,
    LEASE: BigInt(kv.lease),
  };
  const left = actual[compare.target];
  const right = compare.value;
  switch (compare.result) {
    case 'EQUAL':
      return left === right;
    case 'NOT_EQUAL':
      return left !== right;
    case 'GREATER':
      return left > right;
    case 'LESS':
      return left < right;
  }
}
