/** What a store must do, in the plainest way: every change kept in one array, every answer found by looking through it. */
import type { Change, IndexEntry, ListQuery, ObjectKey, StoredObject } from '../../worker/store/store.ts';

export interface StoreModel {
  changes: Change[];
  revision: number;
  compacted: number;
}

export const newModel = (): StoreModel => ({ changes: [], revision: 1, compacted: 0 });

const idOf = (key: ObjectKey): string => `${key.resource}\0${key.namespace}\0${key.name}`;

/** UTF-8 order is code point order. */
const bytes = (text: string): string => Buffer.from(text).toString('hex');

/** The objects that existed as of a revision, by key. */
export function stateAt(model: StoreModel, revision: number): Map<string, Change> {
  const state = new Map<string, Change>();
  for (const change of model.changes) {
    if (change.revision > revision) break;
    if (change.type === 'DELETED') state.delete(idOf(change));
    else state.set(idOf(change), change);
  }
  return state;
}

export const currentOf = (model: StoreModel, key: ObjectKey): Change | undefined =>
  stateAt(model, model.revision).get(idOf(key));

export function put(model: StoreModel, key: ObjectKey, entries: readonly IndexEntry[], text: string): void {
  const current = currentOf(model, key);
  model.revision += 1;
  const type = current === undefined ? 'ADDED' : 'MODIFIED';
  model.changes.push({ ...key, type, revision: model.revision, text, entries, previousEntries: current?.entries });
}

export function remove(model: StoreModel, key: ObjectKey, text: string): void {
  const current = currentOf(model, key);
  if (current === undefined) throw new Error('the model has no such object');
  model.revision += 1;
  const { entries } = current;
  model.changes.push({ ...key, type: 'DELETED', revision: model.revision, text, entries, previousEntries: entries });
}

export function list(model: StoreModel, query: ListQuery): StoredObject[] {
  const after = query.after;
  const orderOf = (place: { namespace: string; name: string }): string =>
    `${bytes(place.namespace)}/${bytes(place.name)}`;
  const has = (entries: readonly IndexEntry[], want: IndexEntry): boolean =>
    entries.some((entry) => entry.index === want.index && entry.value === want.value);
  return [...stateAt(model, query.atRevision ?? model.revision).values()]
    .filter((each) => each.resource === query.resource)
    .filter((each) => query.namespace === undefined || each.namespace === query.namespace)
    .filter((each) => (query.having ?? []).every((want) => has(each.entries, want)))
    .filter((each) => query.matches === undefined || query.matches(each.entries))
    .sort((left, right) => (orderOf(left) < orderOf(right) ? -1 : 1))
    .filter((each) => after === undefined || orderOf(each) > orderOf(after))
    .slice(0, query.limit ?? Number.POSITIVE_INFINITY)
    .map(({ resource, namespace, name, revision, text }) => ({ resource, namespace, name, revision, text }));
}
