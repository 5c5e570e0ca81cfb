/**
 * What watchers are told, as text: events in the form and version that each asked for, and bookmarks. As bytes it is
 * `event-messages.ts`; who is told what and when is `watches.ts`.
 */
import { apiVersionOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import type { Selection } from '../registry/selection.ts';
import { columnDefinitions, type IncludeObject, partialMetadata, tableOf, tableRow } from '../registry/table.ts';
import type { ServedResource } from '../resources/catalog.ts';
import type { JsonObject } from '../resources/definition.ts';
import type { Change, Reader, StoredObject } from '../store/store.ts';
import type { Flow } from './watch-credit.ts';

export interface WatchRequest {
  group: string;
  version: string;
  resource: string;
  /** undefined: all namespaces. */
  namespace: string | undefined;
  labelSelector: string;
  fieldSelector: string;
  as: '' | 'Table' | 'PartialObjectMetadata';
  metaVersion: 'v1' | 'v1beta1';
  include: IncludeObject;
  /** 0: from what there is now. */
  revision: number;
  /** The present state first, as ADDED events. */
  initial: boolean;
  /** A bookmark ends the present state (sendInitialEvents). */
  endsInitial: boolean;
  bookmarks: boolean;
}

export interface Attachment extends WatchRequest {
  kind: 'watch';
  /** The newest revision that the watcher is known to have, as of its start or its last bookmark. */
  sent: number;
  bookmarkMs: number;
  /** Tables: the first event has told the columns. */
  columnsTold: boolean;
  /** What the watcher is told before it is told what happens; undefined: nothing any more. */
  behind: Behind | undefined;
  flow: Flow;
}

export interface Behind {
  /** Of the present state, as of `since`: what comes after this in key order. Undefined: all of it was told, or none is asked for. */
  after: { namespace: string; name: string } | undefined;
  /** What happened after this revision comes then. */
  since: number;
  /** And a bookmark that says that this was the present state. */
  endsInitial: boolean;
}

/** A watcher of this instance: its attachment, read once, with the selector ready. */
export interface Watcher {
  attachment: Attachment;
  served: ServedResource;
  selection: Selection;
  /** Watchers that have the same are told the same. */
  view: string;
  /** The next page is on its way already: its turn will come, or a webhook converts it. */
  going: boolean;
  /** What happened while the client took nothing and had no credit left. */
  missedBytes: number;
}

type EventType = Change['type'] | 'BOOKMARK' | 'ERROR';

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export const eventText = (type: EventType, object: string): string => `{"type":"${type}","object":${object}}`;

/** Of the watched kind, for reflectors drop what is of another. */
export function bookmarkText({ attachment, served }: Watcher, revision: number, endsInitial: boolean): string {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(endsInitial ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {}),
  };
  const group = `meta.k8s.io/${attachment.metaVersion}`;
  const kind: Pick<Identity, 'kind'> & { apiVersion: string } =
    attachment.as === ''
      ? { kind: served.identity.kind, apiVersion: apiVersionOf(served.identity) }
      : { kind: attachment.as, apiVersion: group };
  if (attachment.as !== 'Table') return eventText('BOOKMARK', JSON.stringify({ ...kind, metadata }));
  const row = { cells: [], object: { ...partialKind(group), metadata } };
  const table = tableOf({ resourceVersion: String(revision) }, null, [row], attachment.metaVersion);
  return eventText('BOOKMARK', JSON.stringify(table));
}

/** Metadata comes first in what is stored, and no name before it can hold a quote. */
const atRevision = (text: string, revision: number): string =>
  text.replace(/"resourceVersion":"\d+"/, `"resourceVersion":"${revision}"`);

const partialKind = (apiVersion: string) => ({ kind: 'PartialObjectMetadata', apiVersion });

/**
 * Kubernetes: an object that no longer matches is shown as it last did, at the revision at which it ceased to, so that
 * the selector of the watch still finds it.
 */
export function lastSelected(reader: Reader, type: Change['type'], stored: StoredObject | Change): StoredObject {
  if (type !== 'DELETED' || !('type' in stored) || stored.type === 'DELETED') return stored;
  const before = reader.textBefore(stored.revision);
  return before === undefined ? stored : { ...stored, text: atRevision(before, stored.revision) };
}

/** Each event is written once a form, for all watchers of it. */
export class EventTexts {
  readonly #nowMs: number;
  readonly #reader: Reader;
  readonly #written = new Map<string, string>();

  constructor({ nowMs, reader }: { nowMs(): number; reader: Reader }) {
    this.#nowMs = nowMs();
    this.#reader = reader;
  }

  of(type: Change['type'], stored: StoredObject | Change, watcher: Watcher): string {
    const { attachment } = watcher;
    const first = attachment.as === 'Table' && !attachment.columnsTold;
    const form = `${attachment.as} ${attachment.metaVersion} ${attachment.include} ${attachment.group}/${attachment.version} ${first}`;
    const key = `${stored.revision} ${stored.namespace}/${stored.name} ${type} ${form}`;
    let text = this.#written.get(key);
    if (text === undefined) {
      text = eventText(type, this.#object(lastSelected(this.#reader, type, stored), watcher, first));
      this.#written.set(key, text);
    }
    if (first) attachment.columnsTold = true;
    return text;
  }

  #object(stored: StoredObject, { attachment, served }: Watcher, first: boolean): string {
    if (attachment.as === '') {
      if (served.convert === undefined) return stored.text;
      return JSON.stringify(served.convert.fromStored(JSON.parse(stored.text) as JsonObject));
    }
    const object = JSON.parse(stored.text) as KubeObject;
    if (attachment.as === 'PartialObjectMetadata')
      return JSON.stringify(partialMetadata(object, attachment.metaVersion));
    const row = tableRow(served.definition, object, attachment.include, this.#nowMs, attachment.metaVersion);
    const columns = first ? columnDefinitions(served.definition) : null;
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    return JSON.stringify(tableOf(metadata, columns, [row], attachment.metaVersion));
  }
}
