/**
 * Watchers in the Cluster object: hibernating sockets whose attachments say what is watched. Who is told what, and
 * when, is decided here; the client's HTTP response is held by the Worker (`worker/http/watch.ts`), and a request was read and
 * authorized before it comes here.
 *
 * What a turn commits is told at its end, all of it together, and a turn that fails takes every socket of the object with it,
 * so a socket that lives has seen all, or says from where on it has not. That is where a watch begins, and where its client
 * takes less than it is told and has no credit left (`watch-credit.ts`): it goes on from history (`catching-up.ts`).
 */
import { groupResourceOf } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { parseSelection } from '../registry/selection.ts';
import type { Catalog, ServedResource } from '../resources/catalog.ts';
import type { Change, Reader } from '../store/store.ts';
import { CatchingUp } from './catching-up.ts';
import { isConverted } from './converted-texts.ts';
import { endWith, save, selected, send, sendLine, WrittenOnce } from './event-messages.ts';
import { type Attachment, bookmarkText, EventTexts, type Watcher, type WatchRequest } from './event-texts.ts';
import { acknowledge, hasCredit, NEW_FLOW, parseTaken } from './watch-credit.ts';
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
/**
 * Of events that a client could not be told, for want of credit, since it last took anything. Beyond, it reads too slowly; it
 * comes back and resumes from what it has.
 */
const MAX_MISSED_BYTES = 4 * 1024 * 1024;
const MAX_ATTACHMENT_CHARACTERS = 5_000;
/** In key order it comes before every object. */
const BEGINNING = { namespace: '', name: '' };
const CLOSE = { normal: 1000, slow: 1013 } as const;

export class Watches {
  readonly #parts: WatchParts;
  /** A memory that may be lost at any time. */
  readonly #known = new WeakMap<WebSocket, Watcher>();
  readonly #catchingUp: CatchingUp;
  /** What this turn committed and nobody was told yet. */
  #untold: Change[] = [];
  #lastSweepMs = 0;
  /** As the known watchers see it. */
  #catalog: Catalog | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#catchingUp = new CatchingUp({ ...parts, tellAll: () => this.#tellAll() });
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
    if (request.labelSelector.length + request.fieldSelector.length > MAX_ATTACHMENT_CHARACTERS) {
      throw new StatusError(414, 'RequestURITooLong', 'the selectors of a watch are too long');
    }
    const { revision, initial, endsInitial } = request;
    const now = this.#parts.reader.revision;
    const attachment: Attachment = {
      ...request,
      kind: 'watch',
      sent: now,
      bookmarkMs: this.#parts.nowMs(),
      columnsTold: false,
      behind: initial
        ? { after: BEGINNING, since: now, endsInitial }
        : { after: undefined, since: revision, endsInitial: false },
      flow: { ...NEW_FLOW },
    };
    const watcher = watcherOf(attachment, served);
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#parts.sockets.acceptWebSocket(ours, [TAG, resourceTag(groupResourceOf(served.definition.identity))]);
    this.#known.set(ours, watcher);
    save(ours, watcher);
    try {
      this.#catchingUp.goOn(ours, watcher);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      endWith(ours, error, this.#parts.log);
    }
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** What the Worker says of its client. */
  message(socket: WebSocket, message: string | ArrayBuffer): void {
    const takenBytes = parseTaken(message);
    if (takenBytes === undefined) throw new Error('a message to a watch says something else than what was taken');
    const watcher = this.#watcher(socket);
    if (watcher === undefined) return;
    acknowledge(watcher.attachment.flow, takenBytes);
    watcher.missedBytes = 0;
    save(socket, watcher);
    this.#orEnd(socket, () => this.#catchingUp.goOn(socket, watcher));
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
      for (const socket of sockets) {
        // A watcher that misses something must not go on as if it had not: its client begins again.
        if (socket.readyState === WebSocket.OPEN) this.#orEnd(socket, () => this.#tell(socket, written));
      }
      written.release();
    }
    this.#follow();
    const last = untold.at(-1);
    if (last !== undefined) this.#bookmark(last.revision);
  }

  /** The client is gone or its time is over. */
  closed(socket: WebSocket): void {
    this.#known.delete(socket);
  }

  #orEnd(socket: WebSocket, step: () => void): void {
    try {
      step();
    } catch (error) {
      endWith(socket, error, this.#parts.log);
    }
  }

  #tell(socket: WebSocket, written: WrittenOnce): void {
    const watcher = this.#watcher(socket);
    if (watcher === undefined) return;
    const { attachment } = watcher;
    if (attachment.behind !== undefined) {
      this.#miss(socket, watcher, written);
      return;
    }
    let toldRevision = written.firstRevision - 1;
    if (isConverted(watcher)) {
      if (written.changes.every((change) => selected(change, watcher) === undefined)) return;
      this.#fallBehind(socket, watcher, toldRevision);
      this.#catchingUp.goOn(socket, watcher);
      return;
    }
    for (const message of written.of(watcher)) {
      if (!hasCredit(attachment.flow)) {
        this.#fallBehind(socket, watcher, toldRevision);
        return;
      }
      send(socket, watcher, message);
      toldRevision = message.revision;
      if (attachment.as === 'Table' && !attachment.columnsTold) {
        attachment.columnsTold = true;
        save(socket, watcher);
      }
    }
  }

  /** What happens after this revision is told when there is credit again, from history. */
  #fallBehind(socket: WebSocket, watcher: Watcher, since: number): void {
    watcher.attachment.behind = { after: undefined, since, endsInitial: false };
    save(socket, watcher);
  }

  /** A client that took something since the last turn is given the time that it needs. */
  #miss(socket: WebSocket, watcher: Watcher, written: WrittenOnce): void {
    if (hasCredit(watcher.attachment.flow)) {
      // If not, the next page was lost with the object's memory.
      if (!watcher.going) this.#catchingUp.later(socket, watcher);
      return;
    }
    if (watcher.missedBytes > MAX_MISSED_BYTES) {
      socket.close(CLOSE.slow, 'the watcher reads too slowly');
      return;
    }
    for (const { bytes } of written.of(watcher)) watcher.missedBytes += bytes.byteLength;
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
    const served = this.#parts.catalog().findResource(attachment.group, attachment.version, attachment.resource);
    if (served === undefined) {
      socket.close(CLOSE.normal, 'the resource is gone');
      return undefined;
    }
    const watcher = watcherOf(attachment, served);
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
      if (watcher === undefined || watcher.attachment.behind !== undefined || !watcher.attachment.bookmarks) continue;
      if (nowMs - watcher.attachment.bookmarkMs < BOOKMARK_MS || watcher.attachment.sent >= revision) continue;
      sendLine(socket, watcher, bookmarkText(watcher, revision, false), revision);
      Object.assign(watcher.attachment, { sent: revision, bookmarkMs: nowMs });
      save(socket, watcher);
    }
  }
}

function attachmentOf(socket: WebSocket): Attachment | undefined {
  const attachment = socket.deserializeAttachment() as { kind?: unknown } | null;
  return attachment?.kind === 'watch' ? (attachment as Attachment) : undefined;
}

function watcherOf(attachment: Attachment, served: ServedResource): Watcher {
  const selection = parseSelection(served.definition, attachment.labelSelector, attachment.fieldSelector);
  return { attachment, served, selection, view: viewOf(attachment), going: false, missedBytes: 0 };
}

function byResource(changes: readonly Change[]): Map<string, Change[]> {
  return Map.groupBy(changes, (change) => change.resource);
}

/** All that decides what a watcher is told of a change. */
const viewOf = ({ group, version, namespace, labelSelector, fieldSelector, as, metaVersion, include }: WatchRequest) =>
  JSON.stringify([group, version, namespace ?? null, labelSelector, fieldSelector, as, metaVersion, include]);
