/**
 * The etcd keyspace as the Cluster object serves it: requests to `worker/store/keyspace-rpc.ts`, and etcd watches as
 * hibernating sockets whose attachments say what is watched. The client's HTTP stream is held by the Worker
 * (`worker/http/etcd.ts`); who may come here was decided before.
 *
 * A socket carries the lines of etcd's stream: client messages up, `{"result":…}` down. As with resource watches nothing
 * per event is kept: what is committed is told in the same turn, and a turn that fails takes the sockets with it. Who has no
 * credit left (`watch-credit.ts`) is told from history once its client took some, as etcd does it, and never dropped.
 * Source: etcd 3.5, server/etcdserver/api/v3rpc/watch.go.
 */
import { isInRange, type KeyEvent } from '../store/keyspace.ts';
import { RpcError, requestTooLarge } from '../store/keyspace-error.ts';
import {
  booleanField,
  bytes,
  enumValue,
  field,
  int64,
  int64Field,
  keyValueMessage,
  type Message,
  messageField,
  numberField,
  parseMessage,
  rangeOf,
  repeated,
} from '../store/keyspace-json.ts';
import type { KeyspaceRpc } from '../store/keyspace-rpc.ts';
import { acknowledge, type Flow, hasCredit, NEW_FLOW, parseTaken, write } from './watch-credit.ts';

interface Watcher {
  id: string;
  key: string;
  end: string | undefined;
  /** Events before this revision are not told. */
  from: number;
  /** Those from it on are read from history. */
  behind: boolean;
  prevKv: boolean;
  noPut: boolean;
  noDelete: boolean;
  progressNotify: boolean;
}

interface Attachment {
  kind: 'etcd';
  nextId: number;
  watchers: Watcher[];
  /** In characters, which here are bytes. */
  flow: Flow;
}

export interface KeyspaceParts {
  sockets: Pick<DurableObjectState, 'acceptWebSocket' | 'getWebSockets'>;
  rpc: KeyspaceRpc;
}

/** What the Worker sends when it is time for progress_notify. */
export const PROGRESS = 'progress';
const TAG = 'etcd';
const FILTERS = ['NOPUT', 'NODELETE'] as const;
const INVALID_ID = '-1';
/** An attachment holds 16 KiB. */
const MAX_ATTACHMENT_CHARACTERS = 12_000;
/** A request of 1.5 MiB in base64, and its JSON around it. */
const MAX_BODY_CHARACTERS = 3 * 1024 * 1024;
/** Revisions in one response to a watcher that catches up, as etcd; and how much their values may hold. */
const CATCH_UP_REVISIONS = 1000;
const CATCH_UP_BYTES = 128 * 1024;
const NORMAL = 1000;

export class KeyspaceWatches {
  readonly #sockets: KeyspaceParts['sockets'];
  readonly #rpc: KeyspaceRpc;
  /** A memory that may be lost at any time. */
  readonly #known = new WeakMap<WebSocket, Attachment>();

  constructor(parts: KeyspaceParts) {
    this.#sockets = parts.sockets;
    this.#rpc = parts.rpc;
    this.#rpc.keyspace.onChange((events) => this.#publish(events));
  }

  /** Whether a socket of the object is one of these. */
  owns(socket: WebSocket): boolean {
    return attachmentOf(socket) !== undefined;
  }

  /** Any request below /v3/: a POST, or the upgrade of /v3/watch. */
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') return this.#accept();
    const body = await request.text();
    if (body.length > MAX_BODY_CHARACTERS) {
      const error = requestTooLarge();
      return Response.json(error.body, { status: error.httpCode });
    }
    const answer = this.#rpc.handle(pathname, body);
    return Response.json(answer.body, { status: answer.code });
  }

  /** A client's WatchRequest, of which a bad one ends the stream; or what the Worker says of that client. */
  message(socket: WebSocket, text: string | ArrayBuffer): void {
    const attachment = this.#attachment(socket);
    if (attachment === undefined) return;
    const taken = parseTaken(text);
    if (taken !== undefined) {
      acknowledge(attachment.flow, taken);
      this.#catchUp(socket, attachment);
      return;
    }
    try {
      if (typeof text !== 'string') throw new RpcError(3, 'a watch request is JSON text');
      if (text === PROGRESS) this.#progress(socket, attachment);
      else this.#request(socket, attachment, parseMessage(text));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      socket.send(JSON.stringify(error.body));
      socket.close(NORMAL, 'bad request');
    }
  }

  closed(socket: WebSocket): void {
    this.#known.delete(socket);
  }

  #accept(): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#sockets.acceptWebSocket(ours, [TAG]);
    this.#keep(ours, { kind: 'etcd', nextId: 0, watchers: [], flow: { ...NEW_FLOW } });
    return new Response(null, { status: 101, webSocket: theirs });
  }

  #request(socket: WebSocket, attachment: Attachment, request: Message): void {
    const create = messageField(request, 'create_request');
    const cancel = messageField(request, 'cancel_request');
    if (create !== undefined) {
      this.#create(socket, attachment, create);
    } else if (cancel !== undefined) {
      this.#cancel(socket, attachment, int64Field(cancel, 'watch_id'));
    } else if (messageField(request, 'progress_request') !== undefined) {
      // As etcd: it would say of a watcher that is elsewhere that it has seen everything up to now.
      const { revision } = this.#rpc.keyspace;
      if (attachment.watchers.some((each) => each.behind || isAhead(each, revision))) return;
      this.#send(socket, attachment, { header: this.#rpc.header(revision), watch_id: INVALID_ID });
    }
  }

  #create(socket: WebSocket, attachment: Attachment, request: Message): void {
    const { keyspace } = this.#rpc;
    const header = this.#rpc.header();
    const asked = watcherOf(request, keyspace.revision);
    const refused = refusalOf(attachment, asked);
    if (refused !== undefined) {
      this.#send(socket, attachment, {
        header,
        watch_id: INVALID_ID,
        created: true,
        canceled: true,
        cancel_reason: refused,
      });
      return;
    }
    if (asked.id === '0') {
      while (attachment.watchers.some((each) => each.id === String(attachment.nextId))) attachment.nextId += 1;
      asked.id = String(attachment.nextId);
      attachment.nextId += 1;
    }
    this.#send(socket, attachment, { header, watch_id: int64(asked.id), created: true });
    attachment.watchers.push(asked);
    this.#catchUp(socket, attachment);
  }

  /** As far as the credit goes; the rest when the client took some. */
  #catchUp(socket: WebSocket, attachment: Attachment): void {
    const { keyspace } = this.#rpc;
    for (const watcher of attachment.watchers.filter(({ behind }) => behind)) {
      while (watcher.behind && hasCredit(attachment.flow)) {
        if (watcher.from >= keyspace.compactedRevision) this.#tellPast(socket, attachment, watcher);
        else this.#end(socket, attachment, watcher);
      }
    }
    this.#keep(socket, attachment);
  }

  /** Some of what happened since; all of it, and it is behind no more. */
  #tellPast(socket: WebSocket, attachment: Attachment, watcher: Watcher): void {
    const { keyspace } = this.#rpc;
    const { revision } = keyspace;
    const batch: KeyEvent[] = [];
    let revisions = 0;
    let bytes = 0;
    for (const events of keyspace.eventsFrom({ key: watcher.key, end: watcher.end }, watcher.from)) {
      batch.push(...events);
      revisions += 1;
      for (const { kv, previous } of events) bytes += kv.value.length + (previous?.value.length ?? 0);
      if (revisions < CATCH_UP_REVISIONS && bytes < CATCH_UP_BYTES) continue;
      this.#tell(socket, attachment, watcher, batch, revision);
      watcher.from = (events[0]?.kv.modRevision ?? watcher.from) + 1;
      return;
    }
    this.#tell(socket, attachment, watcher, batch, revision);
    Object.assign(watcher, { from: revision + 1, behind: false });
  }

  /** What it needs is compacted. */
  #end(socket: WebSocket, attachment: Attachment, watcher: Watcher): void {
    watcher.behind = false;
    attachment.watchers = attachment.watchers.filter((each) => each !== watcher);
    this.#send(socket, attachment, {
      header: this.#rpc.header(0),
      watch_id: int64(watcher.id),
      canceled: true,
      compact_revision: int64(this.#rpc.keyspace.compactedRevision),
    });
  }

  #cancel(socket: WebSocket, attachment: Attachment, id: string): void {
    const left = attachment.watchers.filter((each) => each.id !== id);
    if (left.length === attachment.watchers.length) return;
    attachment.watchers = left;
    this.#keep(socket, attachment);
    this.#send(socket, attachment, { header: this.#rpc.header(), watch_id: int64(id), canceled: true });
  }

  #progress(socket: WebSocket, attachment: Attachment): void {
    const { revision } = this.#rpc.keyspace;
    for (const watcher of attachment.watchers) {
      if (!watcher.progressNotify || watcher.behind || isAhead(watcher, revision)) continue;
      this.#send(socket, attachment, { header: this.#rpc.header(revision), watch_id: int64(watcher.id) });
    }
  }

  #publish(events: readonly KeyEvent[]): void {
    for (const socket of this.#sockets.getWebSockets(TAG)) {
      const attachment = this.#attachment(socket);
      if (attachment === undefined) continue;
      const revision = events[0]?.kv.modRevision ?? 0;
      for (const watcher of attachment.watchers) {
        if (watcher.behind || revision < watcher.from) continue;
        if (hasCredit(attachment.flow)) this.#tell(socket, attachment, watcher, events, revision);
        else this.#fallBehind(socket, attachment, watcher, revision);
      }
    }
  }

  #fallBehind(socket: WebSocket, attachment: Attachment, watcher: Watcher, from: number): void {
    Object.assign(watcher, { from, behind: true });
    this.#keep(socket, attachment);
  }

  #tell(
    socket: WebSocket,
    attachment: Attachment,
    watcher: Watcher,
    events: readonly KeyEvent[],
    revision: number,
  ): void {
    const range = { key: watcher.key, end: watcher.end };
    const seen = events.filter(
      (event) => isInRange(range, event.kv.key) && !(event.type === 'PUT' ? watcher.noPut : watcher.noDelete),
    );
    if (seen.length === 0) return;
    const header = this.#rpc.header(revision);
    this.#send(socket, attachment, {
      header,
      watch_id: int64(watcher.id),
      events: repeated(seen.map((event) => eventMessage(event, watcher.prevKv))),
    });
  }

  #send(socket: WebSocket, attachment: Attachment, result: Message): void {
    const text = JSON.stringify({ result });
    socket.send(text);
    if (write(attachment.flow, text.length)) this.#keep(socket, attachment);
  }

  #keep(socket: WebSocket, attachment: Attachment): void {
    this.#known.set(socket, attachment);
    socket.serializeAttachment(attachment);
  }

  #attachment(socket: WebSocket): Attachment | undefined {
    const known = this.#known.get(socket) ?? attachmentOf(socket);
    if (known !== undefined) this.#known.set(socket, known);
    return known;
  }
}

function attachmentOf(socket: WebSocket): Attachment | undefined {
  const attachment = socket.deserializeAttachment() as { kind?: unknown } | null;
  return attachment?.kind === 'etcd' ? (attachment as Attachment) : undefined;
}

/** Its start is still to come: a notice of now would let its client resume before it. */
const isAhead = (watcher: Watcher, revision: number): boolean => watcher.from > revision + 1;

/** A watch of no key is one from the first key there can be. Without a start it begins after what is there now. */
function watcherOf(request: Message, revision: number): Watcher {
  const range = rangeOf(request);
  const start = numberField(request, 'start_revision');
  const asked = field(request, 'filters') ?? [];
  if (!Array.isArray(asked)) throw new RpcError(3, 'the filters of a watch are a list');
  const filters = asked.map((each: unknown) => enumValue(each, FILTERS, 'etcdserverpb.WatchCreateRequest_FilterType'));
  return {
    id: int64Field(request, 'watch_id'),
    key: range.key === '' ? '\0' : range.key,
    end: range.end,
    from: start === 0 ? revision + 1 : start,
    behind: start !== 0 && start <= revision,
    prevKv: booleanField(request, 'prev_kv'),
    noPut: filters.includes('NOPUT'),
    noDelete: filters.includes('NODELETE'),
    progressNotify: booleanField(request, 'progress_notify'),
  };
}

function refusalOf(attachment: Attachment, asked: Watcher): string | undefined {
  if (asked.end !== undefined && asked.end !== '' && asked.end <= asked.key) return 'mvcc: watcher range is empty';
  if (asked.id !== '0' && attachment.watchers.some((each) => each.id === asked.id)) {
    return 'mvcc: duplicate watch ID provided on the WatchStream';
  }
  if (JSON.stringify([...attachment.watchers, asked]).length > MAX_ATTACHMENT_CHARACTERS) {
    return 'longshore: the watches of one stream are too many, or their keys too long: use another stream';
  }
  return undefined;
}

function eventMessage(event: KeyEvent, prevKv: boolean): Message {
  const previous = prevKv && event.previous !== undefined ? keyValueMessage(event.previous) : undefined;
  if (event.type === 'PUT') return { kv: keyValueMessage(event.kv), prev_kv: previous };
  const kv = { key: bytes(event.kv.key), mod_revision: int64(event.kv.modRevision) };
  return { type: 'DELETE', kv, prev_kv: previous };
}
