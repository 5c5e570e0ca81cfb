/**
 * Watchers in the Cluster object: hibernating sockets whose attachments say what is watched. What a watcher is told is
 * written here; the client's HTTP response is held by the Worker (`worker/http/watch.ts`), and a request was read and
 * authorized before it comes here.
 *
 * Nothing per event is kept: changes reach `publish` in the turn that commits them, and a turn that fails takes every
 * socket of the object with it, so a socket that lives has seen all. Attachments are written at the start and with
 * bookmarks only.
 */
import { apiVersionOf, groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { parseSelection, type Selection } from '../registry/selection.ts';
import { columnDefinitions, type IncludeObject, partialMetadata, tableOf, tableRow } from '../registry/table.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import type { JsonObject } from '../resources/definition.ts';
import { selectedType } from '../store/selection.ts';
import type { Change, Reader, StoredObject } from '../store/store.ts';

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

interface Attachment extends WatchRequest {
  kind: 'watch';
  /** The newest revision that the watcher is known to have, as of its start or its last bookmark. */
  sent: number;
  bookmarkMs: number;
  /** Tables: the first event has told the columns. */
  columnsTold: boolean;
  /** The present state is still being sent, page by page; what happens meanwhile is read from history afterwards. */
  starting: boolean;
}

export interface WatchParts {
  sockets: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>;
  reader: Reader;
  catalog(): Catalog;
  nowMs(): number;
  /** Calls back in a turn of its own, so that a long start does not keep everybody waiting. */
  later(step: () => void): void;
}

type EventType = Change['type'] | 'BOOKMARK' | 'ERROR';

const TAG = 'watch';
const resourceTag = (resource: string) => `w:${resource}`.slice(0, 256);
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';
/** As upstream: about once a minute, but only when something happened that the watcher was not told of. */
const BOOKMARK_MS = 60_000;
/** Beyond this the client reads too slowly; it comes back and resumes from what it has. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const MAX_ATTACHMENT_CHARACTERS = 5_000;
/** Objects of one turn of a watch's start. */
const PAGE = 500;
/** Initial events travel together, newline between them. */
const BATCH_CHARACTERS = 256 * 1024;
const CLOSE = { normal: 1000, restart: 1012, slow: 1013 } as const;

/** A watcher of this instance: its attachment, read once, with the selector ready. */
interface Watcher {
  attachment: Attachment;
  served: ServedResource;
  selection: Selection;
}

export class Watches {
  readonly #parts: WatchParts;
  /** A memory that may be lost at any time. */
  readonly #known = new WeakMap<WebSocket, Watcher>();
  #lastSweepMs = 0;
  /** As the known watchers see it. */
  #catalog: Catalog | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Whether a socket of the object is one of these. */
  owns(socket: WebSocket): boolean {
    return attachmentOf(socket) !== undefined;
  }

  /**
   * The upgrade: events as text messages, several joined by newlines at the start. A revision that is compacted is told
   * as an ERROR event, after which the socket closes.
   * @throws StatusError 400 for selectors, 504 for a revision from the future.
   */
  accept(request: WatchRequest, served: ServedResource): Response {
    const selection = parseSelection(served.definition, request.labelSelector, request.fieldSelector);
    if (request.labelSelector.length + request.fieldSelector.length > MAX_ATTACHMENT_CHARACTERS) {
      throw new StatusError(414, 'RequestURITooLong', 'the selectors of a watch are too long');
    }
    const { 0: theirs, 1: ours } = new WebSocketPair();
    const attachment: Attachment = {
      ...request,
      kind: 'watch',
      sent: this.#parts.reader.revision,
      bookmarkMs: this.#parts.nowMs(),
      columnsTold: false,
      starting: false,
    };
    const resource = groupResourceOf(served.definition.identity);
    this.#parts.sockets.acceptWebSocket(ours, [TAG, resourceTag(resource)]);
    const watcher: Watcher = { attachment, served, selection };
    this.#known.set(ours, watcher);
    this.#guarded(ours, () => this.#start(ours, watcher, resource));
    ours.serializeAttachment(watcher.attachment);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Tells every watcher what of this it asked for. Call after each commit, with its changes in order. */
  publish(changes: readonly Change[]): void {
    for (const [resource, batch] of byResource(changes)) {
      const sockets = this.#parts.sockets.getWebSockets(resourceTag(resource));
      if (sockets.length === 0) continue;
      const texts = new EventTexts(this.#parts);
      for (const socket of sockets) this.#tell(socket, batch, texts);
    }
    this.#follow();
    const last = changes.at(-1);
    if (last !== undefined) this.#bookmark(last.revision);
  }

  /** The client is gone or its time is over. */
  closed(socket: WebSocket): void {
    this.#known.delete(socket);
  }

  /** What a watch cannot go on with is told as its last event. */
  #guarded(socket: WebSocket, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      socket.send(eventText('ERROR', JSON.stringify(error.status)));
      socket.close(CLOSE.normal, 'error');
    }
  }

  #start(socket: WebSocket, watcher: Watcher, resource: string): void {
    if (watcher.attachment.initial) {
      this.#startPage(socket, watcher, resource, undefined, this.#parts.reader.revision);
      return;
    }
    const batch = new Batch(socket);
    this.#replay(watcher, resource, watcher.attachment.revision, batch);
    batch.flush();
  }

  /** The present state as of one revision, a page a turn; then what happened since, and from there on what happens. */
  #startPage(
    socket: WebSocket,
    watcher: Watcher,
    resource: string,
    after: { namespace: string; name: string } | undefined,
    revision: number,
  ): void {
    if (after !== undefined && socket.readyState !== WebSocket.OPEN) return;
    const { attachment, selection } = watcher;
    const { reader } = this.#parts;
    const texts = new EventTexts(this.#parts);
    const batch = new Batch(socket);
    const { having, matches } = selection;
    const atRevision = after === undefined ? undefined : revision;
    const query = { resource, namespace: attachment.namespace, having, matches, after, limit: PAGE, atRevision };
    const items = [...reader.list(query).items];
    for (const stored of items) {
      if (selection.matchesKey?.(stored.namespace, stored.name) === false) continue;
      batch.add(texts.of('ADDED', stored, watcher));
    }
    const last = items.at(-1);
    const more = items.length === PAGE && last !== undefined;
    if (!more) {
      if (attachment.starting) this.#replay(watcher, resource, revision, batch);
      attachment.sent = reader.revision;
      if (attachment.endsInitial) batch.add(bookmarkText(watcher, reader.revision, true));
    }
    batch.flush();
    if (more !== attachment.starting) {
      attachment.starting = more;
      socket.serializeAttachment(attachment);
    }
    if (!more) return;
    const next = { namespace: last.namespace, name: last.name };
    this.#parts.later(() => {
      this.#guarded(socket, () => this.#startPage(socket, watcher, resource, next, revision));
    });
  }

  #replay(watcher: Watcher, resource: string, revision: number, batch: Batch): void {
    const { namespace } = watcher.attachment;
    const texts = new EventTexts(this.#parts);
    const filter = { resource, ...(namespace === undefined ? {} : { namespace }) };
    for (const change of this.#parts.reader.changesSince(revision, filter)) {
      const type = selected(change, watcher);
      if (type !== undefined) batch.add(texts.of(type, change, watcher));
    }
  }

  #tell(socket: WebSocket, changes: readonly Change[], texts: EventTexts): void {
    const watcher = this.#watcher(socket);
    if (watcher === undefined || watcher.attachment.starting) return;
    const told = watcher.attachment.columnsTold;
    for (const change of changes) {
      const type = selected(change, watcher);
      if (type !== undefined) socket.send(texts.of(type, change, watcher));
    }
    if (told !== watcher.attachment.columnsTold) socket.serializeAttachment(watcher.attachment);
    if ((socket as WebSocket & { bufferedAmount?: number }).bufferedAmount! > MAX_BUFFERED_BYTES) {
      socket.close(CLOSE.slow, 'the watcher reads too slowly');
    }
  }

  /** A CRD came, changed or went: watchers see the resource as it is now, and a watch of what is gone ends. */
  #follow(): void {
    const catalog = this.#parts.catalog();
    if (catalog === this.#catalog) return;
    this.#catalog = catalog;
    for (const socket of this.#parts.sockets.getWebSockets(TAG)) {
      const watcher = this.#known.get(socket);
      if (watcher === undefined) continue;
      const { group, version, resource } = watcher.attachment;
      const served = catalog.findResource(group, version, resource);
      if (served === undefined) socket.close(CLOSE.normal, 'the resource is gone');
      else watcher.served = served;
    }
  }

  #watcher(socket: WebSocket): Watcher | undefined {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const attachment = attachmentOf(socket);
    if (attachment === undefined) return undefined;
    if (attachment.starting) {
      // Its start was lost with the object's memory: the client begins again.
      socket.close(CLOSE.restart, 'the control plane restarted');
      return undefined;
    }
    const served = this.#parts.catalog().findResource(attachment.group, attachment.version, attachment.resource);
    if (served === undefined) {
      socket.close(CLOSE.normal, 'the resource is gone');
      return undefined;
    }
    const selection = parseSelection(served.definition, attachment.labelSelector, attachment.fieldSelector);
    const watcher = { attachment, served, selection };
    this.#known.set(socket, watcher);
    return watcher;
  }

  /**
   * With what else is written, never with a timer of their own: a quiet cluster sleeps.
   * @param revision up to here every watcher was told; the store may be ahead, with commits that are published next.
   */
  #bookmark(revision: number): void {
    const nowMs = this.#parts.nowMs();
    if (nowMs - this.#lastSweepMs < BOOKMARK_MS) return;
    this.#lastSweepMs = nowMs;
    for (const socket of this.#parts.sockets.getWebSockets(TAG)) {
      const watcher = this.#watcher(socket);
      if (watcher === undefined || watcher.attachment.starting || !watcher.attachment.bookmarks) continue;
      if (nowMs - watcher.attachment.bookmarkMs < BOOKMARK_MS || watcher.attachment.sent >= revision) continue;
      socket.send(bookmarkText(watcher, revision, false));
      Object.assign(watcher.attachment, { sent: revision, bookmarkMs: nowMs });
      socket.serializeAttachment(watcher.attachment);
    }
  }
}

function attachmentOf(socket: WebSocket): Attachment | undefined {
  const attachment = socket.deserializeAttachment() as { kind?: unknown } | null;
  return attachment?.kind === 'watch' ? (attachment as Attachment) : undefined;
}

function byResource(changes: readonly Change[]): Map<string, Change[]> {
  return Map.groupBy(changes, (change) => change.resource);
}

function selected(change: Change, { attachment, selection }: Watcher): Change['type'] | undefined {
  if (attachment.namespace !== undefined && change.namespace !== attachment.namespace) return undefined;
  if (selection.isEmpty) return change.type;
  return selectedType(change, (entries) => selection.selects(entries, change.namespace, change.name));
}

const eventText = (type: EventType, object: string): string => `{"type":"${type}","object":${object}}`;

/** Of the watched kind, for reflectors drop what is of another. */
function bookmarkText({ attachment, served }: Watcher, revision: number, endsInitial: boolean): string {
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

/** Each event is written once a form, for all watchers of it. */
class EventTexts {
  readonly #nowMs: number;
  readonly #reader: Reader;
  readonly #written = new Map<string, string>();

  constructor({ nowMs, reader }: Pick<WatchParts, 'nowMs' | 'reader'>) {
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
      text = eventText(type, this.#object(this.#lastSelected(type, stored), watcher, first));
      this.#written.set(key, text);
    }
    if (first) attachment.columnsTold = true;
    return text;
  }

  /**
   * Kubernetes: an object that no longer matches is shown as it last did, at the revision at which it ceased to, so that
   * the selector of the watch still finds it.
   */
  #lastSelected(type: Change['type'], stored: StoredObject | Change): StoredObject {
    if (type !== 'DELETED' || !('type' in stored) || stored.type === 'DELETED') return stored;
    const before = this.#reader.textBefore(stored.revision);
    return before === undefined ? stored : { ...stored, text: atRevision(before, stored.revision) };
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

/** Gathers events into messages of a sensible size. */
class Batch {
  readonly #socket: WebSocket;
  #lines: string[] = [];
  #characters = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters >= BATCH_CHARACTERS) this.flush();
  }

  flush(): void {
    if (this.#lines.length > 0) this.#socket.send(this.#lines.join('\n'));
    this.#lines = [];
    this.#characters = 0;
  }
}
