/**
 * Watchers in the Cluster object: hibernating sockets whose attachments say what is watched. Who is told what, and
 * when, is decided here; the client's HTTP response is held by the Worker (`worker/http/watch.ts`), and a request was read and
 * authorized before it comes here.
 *
 * Nothing per event is kept: what a turn commits is told at its end, all of it together, and a turn that fails takes every
 * socket of the object with it, so a socket that lives has seen all. Attachments are written at the start and with
 * bookmarks only. Versions that a webhook converts to are `converted-watches.ts`.
 */
import { groupResourceOf } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { parseSelection } from '../registry/selection.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import type { Change, Reader } from '../store/store.ts';
import { ConvertedWatches, isConverted } from './converted-watches.ts';
import { EventMessages, endWith, selected, sendAll, sendLine, WrittenOnce } from './event-messages.ts';
import { type Attachment, bookmarkText, EventTexts, type Watcher, type WatchRequest } from './event-texts.ts';
import type { WebhookClient } from './webhook-call.ts';

export interface WatchParts {
  sockets: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>;
  reader: Reader;
  catalog(): Catalog;
  nowMs(): number;
  /** Calls back in a turn of its own, so that a long start does not keep everybody waiting. */
  later(step: () => void): void;
  /** Calls back at the end of this turn, after whatever else it commits. */
  atTurnEnd(step: () => void): void;
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
  readonly #converted: ConvertedWatches;
  /** What this turn committed and nobody was told yet. */
  #untold: Change[] = [];
  #lastSweepMs = 0;
  /** As the known watchers see it. */
  #catalog: Catalog | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#converted = new ConvertedWatches({ ...parts, tellAll: () => this.#tellAll() });
  }

  /** Whether a socket of the object is one of these. */
  owns(socket: WebSocket): boolean {
    return attachmentOf(socket) !== undefined;
  }

  /**
   * The upgrade: messages are the bytes of one or several events, each ended by a newline. A revision that is compacted is
   * told as an ERROR event, after which the socket closes.
   * @throws StatusError 400 for selectors, 504 for a revision from the future.
   */
  accept(request: WatchRequest, served: ServedResource): Response {
    const selection = parseSelection(served.definition, request.labelSelector, request.fieldSelector);
    if (request.labelSelector.length + request.fieldSelector.length > MAX_ATTACHMENT_CHARACTERS) {
      throw new StatusError(414, 'RequestURITooLong', 'the selectors of a watch are too long');
    }
    // What is read from history now must not be told again.
    this.#tellAll();
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
    const watcher: Watcher = { attachment, served, selection, view: viewOf(attachment) };
    this.#known.set(ours, watcher);
    if (isConverted(watcher)) this.#converted.start(ours, watcher, resource);
    else this.#guarded(ours, () => this.#start(ours, watcher, resource));
    ours.serializeAttachment(watcher.attachment);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Call after each commit, with its changes in order. Every watcher is told what of them it asked for. */
  publish(changes: readonly Change[]): void {
    if (this.#untold.length === 0) this.#parts.atTurnEnd(() => this.#tellAll());
    this.#untold.push(...changes);
  }

  #tellAll(): void {
    if (this.#untold.length === 0) return;
    const untold = this.#untold;
    this.#untold = [];
    for (const [resource, changes] of byResource(untold)) {
      const sockets = this.#parts.sockets.getWebSockets(resourceTag(resource));
      if (sockets.length === 0) continue;
      const written = new WrittenOnce(changes, new EventTexts(this.#parts));
      for (const socket of sockets) this.#tellOrClose(socket, resource, written);
    }
    this.#follow();
    const last = untold.at(-1);
    if (last !== undefined) this.#bookmark(last.revision);
  }

  /** The client is gone or its time is over. */
  closed(socket: WebSocket): void {
    this.#known.delete(socket);
  }

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
    const messages = new EventMessages();
    this.#replay(watcher, resource, watcher.attachment.revision, messages);
    sendAll(socket, messages.end());
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
    this.#tellAll();
    const { attachment, selection } = watcher;
    const { reader } = this.#parts;
    const texts = new EventTexts(this.#parts);
    const messages = new EventMessages();
    const { having, matches } = selection;
    const atRevision = after === undefined ? undefined : revision;
    const query = { resource, namespace: attachment.namespace, having, matches, after, limit: PAGE, atRevision };
    const items = [...reader.list(query).items];
    for (const stored of items) {
      if (selection.matchesKey?.(stored.namespace, stored.name) === false) continue;
      messages.add(texts.of('ADDED', stored, watcher));
    }
    const last = items.at(-1);
    const more = items.length === PAGE && last !== undefined;
    if (!more) {
      if (attachment.starting) this.#replay(watcher, resource, revision, messages);
      attachment.sent = reader.revision;
      if (attachment.endsInitial) messages.add(bookmarkText(watcher, reader.revision, true));
    }
    sendAll(socket, messages.end());
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

  #replay(watcher: Watcher, resource: string, revision: number, messages: EventMessages): void {
    const { namespace } = watcher.attachment;
    const texts = new EventTexts(this.#parts);
    const filter = { resource, ...(namespace === undefined ? {} : { namespace }) };
    for (const change of this.#parts.reader.changesSince(revision, filter)) {
      const type = selected(change, watcher);
      if (type !== undefined) messages.add(texts.of(type, change, watcher));
    }
  }

  /** A watcher that misses something must not go on as if it had not: its client begins again. */
  #tellOrClose(socket: WebSocket, resource: string, written: WrittenOnce): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    try {
      this.#tell(socket, resource, written);
    } catch (error) {
      const stack = error instanceof Error ? error.stack : String(error);
      this.#parts.log({ level: 'error', room: 'links', message: 'a watcher could not be told', error: stack });
      socket.close(CLOSE.internal, 'an event could not be written');
    }
  }

  #tell(socket: WebSocket, resource: string, written: WrittenOnce): void {
    const watcher = this.#watcher(socket);
    if (watcher === undefined || watcher.attachment.starting) return;
    if (isConverted(watcher)) {
      this.#converted.tell(socket, watcher, resource, written.changes);
      return;
    }
    const messages = written.of(watcher);
    if (messages.length === 0) return;
    sendAll(socket, messages);
    if (watcher.attachment.as === 'Table' && !watcher.attachment.columnsTold) {
      watcher.attachment.columnsTold = true;
      socket.serializeAttachment(watcher.attachment);
    }
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
    const watcher = { attachment, served, selection, view: viewOf(attachment) };
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
      sendLine(socket, bookmarkText(watcher, revision, false));
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

/** All that decides what a watcher is told of a change. */
const viewOf = ({ group, version, namespace, labelSelector, fieldSelector, as, metaVersion, include }: WatchRequest) =>
  JSON.stringify([group, version, namespace ?? null, labelSelector, fieldSelector, as, metaVersion, include]);
