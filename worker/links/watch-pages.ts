/**
 * What a watcher who is behind is told next: the present state as of one revision, then from history what happened since. A
 * page at a time, whose position is kept with the watcher, so that it goes on when its client wants more, whatever became of
 * the object meanwhile. When a page is told is `watches.ts`.
 */
import { groupResourceOf } from '../../shared/api/meta.ts';
import type { Change, ListQuery, Reader, StoredObject } from '../store/store.ts';
import { selected } from './event-messages.ts';
import { type Behind, lastSelected, type Watcher } from './event-texts.ts';

export interface Page {
  events: { type: Change['type']; stored: StoredObject }[];
  /** Where the next one begins. */
  next: Behind;
  /** With this page the watcher has everything up to now. */
  isLast: boolean;
}

/** A page is at an end when one of these is reached: what it may hold, and how much it may look at. */
const PAGE_CHARACTERS = 256 * 1024;
const PAGE_OBJECTS = 500;

/** @throws StatusError 410 when what it needs is compacted. */
export function nextPage(reader: Reader, watcher: Watcher, behind: Behind): Page {
  const { namespace } = watcher.attachment;
  const { having, matches, matchesKey } = watcher.selection;
  const resource = groupResourceOf(watcher.served.definition.identity);
  const events: Page['events'] = [];
  let { after, since } = behind;
  let looked = 0;
  let characters = 0;
  const add = (type: Change['type'], stored: StoredObject) => {
    events.push({ type, stored });
    characters += stored.text.length;
  };
  const isFull = () => looked >= PAGE_OBJECTS || characters >= PAGE_CHARACTERS;
  if (after !== undefined) {
    const query: ListQuery = { resource, namespace, having, matches, after, atRevision: since };
    for (const stored of reader.list(query).items) {
      looked += 1;
      after = { namespace: stored.namespace, name: stored.name };
      if (matchesKey?.(stored.namespace, stored.name) !== false) add('ADDED', stored);
      if (isFull()) return { events, next: { ...behind, after }, isLast: false };
    }
    after = undefined;
  }
  const filter = { resource, ...(namespace === undefined ? {} : { namespace }) };
  for (const change of reader.changesSince(since, filter)) {
    looked += 1;
    since = change.revision;
    const type = selected(change, watcher);
    if (type !== undefined) add(type, lastSelected(reader, type, change));
    if (isFull()) return { events, next: { ...behind, after, since }, isLast: false };
  }
  return { events, next: { ...behind, after, since: reader.revision }, isLast: true };
}
