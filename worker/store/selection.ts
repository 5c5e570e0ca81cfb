/**
 * What a watcher with a selector sees of a change. Pure; the sockets of the watchers are in `worker/links/watches.ts`,
 * the selectors themselves in `shared/selectors.ts`.
 */
import type { Change, IndexEntry } from './store.ts';

/**
 * The type of the event that the watcher gets, or undefined when it must not notice. An object that begins to match is
 * ADDED, one that no longer does is DELETED, whatever the store calls the change.
 * Source: k8s.io/apiserver/pkg/storage/etcd3/watcher.go, transform.
 */
export function selectedType(
  change: Pick<Change, 'type' | 'entries' | 'previousEntries'>,
  matches: ((entries: readonly IndexEntry[]) => boolean) | undefined,
): Change['type'] | undefined {
  if (matches === undefined) return change.type;
  const before = change.previousEntries !== undefined && matches(change.previousEntries);
  const after = change.type !== 'DELETED' && matches(change.entries);
  if (before) return after ? 'MODIFIED' : 'DELETED';
  return after ? 'ADDED' : undefined;
}
