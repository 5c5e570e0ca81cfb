/**
 * Watchers of a version that a webhook converts to. They are told later, each at its own pace: what they have not been told is
 * read from history, and while they wait they count as starting.
 */
import { StatusError } from '../../shared/errors.ts';
import type { Change, Reader, StoredObject } from '../store/store.ts';
import { ConvertedTexts } from './converted-texts.ts';
import { EventMessages, endWith, selected, sendAll, sendLine } from './event-messages.ts';
import { bookmarkText, EventTexts, type Watcher } from './event-texts.ts';
import type { WebhookClient } from './webhook-call.ts';

export interface ConvertedParts {
  reader: Reader;
  nowMs(): number;
  webhooks: WebhookClient;
  log(entry: Record<string, unknown>): void;
  /** Tells all watchers what this turn committed so far. */
  tellAll(): void;
}

/** Objects of one review. */
const PAGE = 500;
const INTERNAL_ERROR = 1011;

export const isConverted = ({ served }: Watcher): boolean => served.definition.conversion !== undefined;

export class ConvertedWatches {
  readonly #parts: ConvertedParts;
  readonly #texts: ConvertedTexts;

  constructor(parts: ConvertedParts) {
    this.#parts = parts;
    this.#texts = new ConvertedTexts(parts.webhooks);
  }

  /** What is to be sent waits for a webhook: until it was, nothing live is told, so events stay in order. */
  #waiting(socket: WebSocket, watcher: Watcher, send: () => Promise<void>): void {
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
        socket.close(INTERNAL_ERROR, 'internal error');
      }
    };
    void done();
  }

  /** The present state, where it was asked for, and what happened since. */
  start(socket: WebSocket, watcher: Watcher, resource: string): void {
    const { reader } = this.#parts;
    const { attachment, selection } = watcher;
    const atRevision = reader.revision;
    this.#waiting(socket, watcher, async () => {
      if (!attachment.initial) return this.#since(socket, watcher, resource, attachment.revision);
      const { having, matches } = selection;
      let after: { namespace: string; name: string } | undefined;
      for (;;) {
        const query = { resource, namespace: attachment.namespace, having, matches, after, limit: PAGE, atRevision };
        const items = [...reader.list(query).items];
        const shown = items.filter(({ namespace, name }) => selection.matchesKey?.(namespace, name) !== false);
        await this.#send(
          socket,
          watcher,
          shown.map((stored) => ({ type: 'ADDED', stored })),
        );
        after = items.at(-1);
        if (items.length < PAGE || socket.readyState !== WebSocket.OPEN) break;
      }
      await this.#since(socket, watcher, resource, atRevision, () => {
        if (attachment.endsInitial) sendLine(socket, bookmarkText(watcher, reader.revision, true));
      });
    });
  }

  /** Everything after a revision, what happens meanwhile included; from then on the watcher is told live. */
  async #since(socket: WebSocket, watcher: Watcher, resource: string, since: number, last?: () => void): Promise<void> {
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
        await this.#send(socket, watcher, events.slice(next, next + PAGE));
        if (socket.readyState !== WebSocket.OPEN) return;
      }
    }
    if (socket.readyState !== WebSocket.OPEN) return;
    // In the turn that saw the newest revision: what comes after it is told live, and what was read must not be told again.
    this.#parts.tellAll();
    last?.();
    Object.assign(attachment, { starting: false, sent: from });
    socket.serializeAttachment(attachment);
  }

  async #send(
    socket: WebSocket,
    watcher: Watcher,
    events: readonly { type: Change['type']; stored: StoredObject }[],
  ): Promise<void> {
    if (events.length === 0) return;
    const { definition } = watcher.served;
    const converted = await this.#texts.of(
      definition,
      events.map((each) => each.stored),
    );
    if (socket.readyState !== WebSocket.OPEN) return;
    const texts = new EventTexts(this.#parts);
    const messages = new EventMessages();
    for (const [index, { type, stored }] of events.entries()) {
      const { resource, namespace, name, revision } = stored;
      messages.add(texts.of(type, { resource, namespace, name, revision, text: converted[index] ?? '' }, watcher));
    }
    sendAll(socket, messages.end());
  }

  /** Something was committed; whether it concerns this watcher is looked at here. */
  tell(socket: WebSocket, watcher: Watcher, resource: string, changes: readonly Change[]): void {
    if (changes.every((change) => selected(change, watcher) === undefined)) return;
    const before = (changes[0]?.revision ?? 1) - 1;
    this.#waiting(socket, watcher, () => this.#since(socket, watcher, resource, before));
  }
}
