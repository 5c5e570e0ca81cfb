/**
 * Watchers in the Cluster object: hibernating sockets whose attachments say what is watched. What a watcher is told is
 * written here; the client's HTTP response is held by the Worker (`worker/http/watch.ts`), and a request was read and
 * authorized before it comes here.
 *
 * Nothing per event is kept: changes reach `publish` in the turn that commits them, and a turn that fails takes every
 * socket of the object with it, so a socket that lives has seen all. Attachments are written at the start and with
 * bookmarks only. Watchers of a version that a webhook converts to are told later, each at its own pace: what they have not
 * been told is read from history, and while they wait they count as starting.
 */
import { groupResourceOf } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { parseSelection } from '../registry/selection.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import { selectedType } from '../store/selection.ts';
import type { Change, Reader, StoredObject } from '../store/store.ts';
import { ConvertedTexts } from './converted-texts.ts';
import {
  type Attachment,
  Batch,
  bookmarkText,
  EventTexts,
  eventText,
  type Watcher,
  type WatchRequest,
} from './event-texts.ts';
import type { WebhookClient } from './webhook-call.ts';

export interface WatchParts {
  sockets: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>;
  reader: Reader;
  catalog(): Catalog;
  nowMs(): number;
  /** Calls back in a turn of its own, so that a long start does not keep everybody waiting. */
  later(step: () => void): void;
  webhooks: WebhookClient;
  log(entry: Record<string, unknown>): void;
}

const TAG = 'watch';
const resourceTag = (resource: string) => `w:${resource}`.slice(0, 256);
/** As upstream: about once a minute, but only when something happened that the watcher was not told of. */
const BOOKMARK_MS = 60_000;
/** Beyond this the client reads too slowly; it comes back and resumes from what it has. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const MAX_ATTACHMENT_CHARACTERS = 5_000;
/** Objects of one turn of a watch's start. */
const PAGE = 500;
const CLOSE = { normal: 1000, internal: 1011, restart: 1012, slow: 1013 } as const;

export class Watches {
  readonly #parts: WatchParts;
  /** A memory that may be lost at any time. */
  readonly #known = new WeakMap<WebSocket, Watcher>();
  readonly #converted: ConvertedTexts;
  #lastSweepMs = 0;
  /** As the known watchers see it. */
  #catalog: Catalog | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#converted = new ConvertedTexts(parts.webhooks);
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
    if (isConverted(watcher)) this.#convertStart(ours, watcher, resource);
    else this.#guarded(ours, () => this.#start(ours, watcher, resource));
    ours.serializeAttachment(watcher.attachment);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Tells every watcher what of this it asked for. Call after each commit, with its changes in order. */
  publish(changes: readonly Change[]): void {
    for (const [resource, batch] of byResource(changes)) {
      const sockets = this.#parts.sockets.getWebSockets(resourceTag(resource));
      if (sockets.length === 0) continue;
      const texts = new EventTexts(this.#parts);
      for (const socket of sockets) this.#tell(socket, resource, batch, texts);
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
      endWith(socket, error);
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

  // ---- Versions that a webhook converts to ------------------------------------------------------------------------

  /** What is to be sent waits for a webhook: until it was, nothing live is told, so events stay in order. */
  #converting(socket: WebSocket, watcher: Watcher, send: () => Promise<void>): void {
    const { attachment } = watcher;
    attachment.starting = true;
    socket.serializeAttachment(attachment);
    const done = async () => {
      try {
        await send();
      } catch (error) {
        if (error instanceof StatusError) return endWith(socket, error);
        const stack = error instanceof Error ? error.stack : String(error);
        this.#parts.log({ level: 'error', room: 'links', message: 'a watch failed', error: stack });
        socket.close(CLOSE.internal, 'internal error');
      }
    };
    void done();
  }

  #convertStart(socket: WebSocket, watcher: Watcher, resource: string): void {
    const { reader } = this.#parts;
    const { attachment, selection } = watcher;
    const atRevision = reader.revision;
    this.#converting(socket, watcher, async () => {
      if (!attachment.initial) return this.#convertSince(socket, watcher, resource, attachment.revision);
      const { having, matches } = selection;
      let after: { namespace: string; name: string } | undefined;
      for (;;) {
        const query = { resource, namespace: attachment.namespace, having, matches, after, limit: PAGE, atRevision };
        const items = [...reader.list(query).items];
        const shown = items.filter(({ namespace, name }) => selection.matchesKey?.(namespace, name) !== false);
        await this.#sendConverted(
          socket,
          watcher,
          shown.map((stored) => ({ type: 'ADDED', stored })),
        );
        after = items.at(-1);
        if (items.length < PAGE || socket.readyState !== WebSocket.OPEN) break;
      }
      await this.#convertSince(socket, watcher, resource, atRevision, () => {
        if (attachment.endsInitial) socket.send(bookmarkText(watcher, reader.revision, true));
      });
    });
  }

  /** Everything after a revision, what happens meanwhile included; from then on the watcher is told live. */
  async #convertSince(
    socket: WebSocket,
    watcher: Watcher,
    resource: string,
    since: number,
    last?: () => void,
  ): Promise<void> {
    const { reader } = this.#parts;
    const { attachment } = watcher;
    const { namespace } = attachment;
    const filter = { resource, ...(namespace === undefined ? {} : { namespace }) };
    const texts = new EventTexts(this.#parts);
    let from = since;
    while (from < reader.revision) {
      // Read to its end: a cursor that is left half-way stays open.
      const changes = [...reader.changesSince(from, filter)];
      from = reader.revision;
      const events = changes.flatMap((change) => {
        const type = selected(change, watcher);
        return type === undefined ? [] : [{ type, stored: texts.lastSelected(type, change) }];
      });
      for (let next = 0; next < events.length; next += PAGE) {
        await this.#sendConverted(socket, watcher, events.slice(next, next + PAGE));
        if (socket.readyState !== WebSocket.OPEN) return;
      }
    }
    // In the turn that saw the newest revision: what comes after it is told by `publish`.
    if (socket.readyState !== WebSocket.OPEN) return;
    last?.();
    Object.assign(attachment, { starting: false, sent: from });
    socket.serializeAttachment(attachment);
  }

  async #sendConverted(
    socket: WebSocket,
    watcher: Watcher,
    events: readonly { type: Change['type']; stored: StoredObject }[],
  ): Promise<void> {
    if (events.length === 0) return;
    const { definition } = watcher.served;
    const converted = await this.#converted.of(
      definition,
      events.map((each) => each.stored),
    );
    if (socket.readyState !== WebSocket.OPEN) return;
    const texts = new EventTexts(this.#parts);
    const batch = new Batch(socket);
    for (const [index, { type, stored }] of events.entries()) {
      const { resource, namespace, name, revision } = stored;
      batch.add(texts.of(type, { resource, namespace, name, revision, text: converted[index] ?? '' }, watcher));
    }
    batch.flush();
  }

  #tell(socket: WebSocket, resource: string, changes: readonly Change[], texts: EventTexts): void {
    const watcher = this.#watcher(socket);
    if (watcher === undefined || watcher.attachment.starting) return;
    if (isConverted(watcher)) {
      const before = (changes[0]?.revision ?? 1) - 1;
      if (changes.every((change) => selected(change, watcher) === undefined)) return;
      this.#converting(socket, watcher, () => this.#convertSince(socket, watcher, resource, before));
      return;
    }
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

const isConverted = ({ served }: Watcher): boolean => served.definition.conversion !== undefined;

function endWith(socket: WebSocket, error: StatusError): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(eventText('ERROR', JSON.stringify(error.status)));
  socket.close(CLOSE.normal, 'error');
}
