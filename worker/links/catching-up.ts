/**
 * Watchers who are behind get on, each at the pace of its client: a page a turn while there is credit, and no timer, so that
 * the object may sleep, while there is none. What a page holds is `watch-pages.ts`. Whoever is behind hears nothing live, so
 * events stay in order; who watches a version that a webhook converts to is behind while that is asked.
 */
import type { Reader } from '../store/store.ts';
import { ConvertedTexts, isConverted } from './converted-texts.ts';
import { EventMessages, endWith, save, send } from './event-messages.ts';
import { bookmarkText, EventTexts, type Watcher } from './event-texts.ts';
import { hasCredit, release } from './watch-credit.ts';
import { nextPage, type Page } from './watch-pages.ts';
import type { WebhookClient } from './webhook-call.ts';

export interface CatchingUpParts {
  reader: Reader;
  nowMs(): number;
  /** Calls back in a turn of its own. */
  later(step: () => void): void;
  webhooks: WebhookClient;
  log(entry: Record<string, unknown>): void;
  /** Tells those who are not behind what this turn committed so far. */
  tellAll(): void;
}

export class CatchingUp {
  readonly #parts: CatchingUpParts;
  readonly #converted: ConvertedTexts;

  constructor(parts: CatchingUpParts) {
    this.#parts = parts;
    this.#converted = new ConvertedTexts(parts.webhooks);
  }

  /**
   * The next page of a watcher who is behind and has credit. Call when either may have become so.
   * @throws StatusError 410 when what it needs is compacted.
   */
  goOn(socket: WebSocket, watcher: Watcher): void {
    const { behind, flow } = watcher.attachment;
    if (behind === undefined || watcher.going || !hasCredit(flow) || socket.readyState !== WebSocket.OPEN) return;
    watcher.going = true;
    // What is read from history now must not be told again.
    this.#parts.tellAll();
    const page = nextPage(this.#parts.reader, watcher, behind);
    if (isConverted(watcher) && page.events.length > 0) void this.#convert(socket, watcher, page);
    else this.#send(socket, watcher, page);
  }

  /** What happens while the webhook is asked comes with the next page, so this one is not the last. */
  async #convert(socket: WebSocket, watcher: Watcher, { events, next }: Page): Promise<void> {
    try {
      const texts = await this.#converted.of(
        watcher.served.definition,
        events.map(({ stored }) => stored),
      );
      const converted = events.map(({ type, stored: { resource, namespace, name, revision } }, index) => ({
        type,
        stored: { resource, namespace, name, revision, text: texts[index] ?? '' },
      }));
      this.#send(socket, watcher, { events: converted, next, isLast: false });
    } catch (error) {
      endWith(socket, error, this.#parts.log);
    }
  }

  #send(socket: WebSocket, watcher: Watcher, { events, next, isLast }: Page): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const { attachment } = watcher;
    const texts = new EventTexts(this.#parts);
    const messages = new EventMessages();
    for (const { type, stored } of events) messages.add(texts.of(type, stored, watcher), stored.revision);
    if (isLast && next.endsInitial) messages.add(bookmarkText(watcher, next.since, true), next.since);
    for (const message of messages.end()) {
      send(socket, watcher, message);
      release(message.bytes);
    }
    attachment.behind = isLast ? undefined : next;
    if (isLast) attachment.sent = next.since;
    watcher.going = false;
    save(socket, watcher);
    if (!isLast) this.later(socket, watcher);
  }

  /** The same in a turn of its own. */
  later(socket: WebSocket, watcher: Watcher): void {
    if (watcher.going || !hasCredit(watcher.attachment.flow)) return;
    watcher.going = true;
    this.#parts.later(() => {
      watcher.going = false;
      try {
        this.goOn(socket, watcher);
      } catch (error) {
        endWith(socket, error, this.#parts.log);
      }
    });
  }
}
