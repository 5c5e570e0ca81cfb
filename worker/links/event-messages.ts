/** What watchers are told, as bytes: events that travel together, written and encoded once for all who ask for the same. */
import type { StatusError } from '../../shared/errors.ts';
import { selectedType } from '../store/selection.ts';
import type { Change } from '../store/store.ts';
import { type EventTexts, eventText, type Watcher } from './event-texts.ts';

/** Events travel together, each with its newline, up to about this much. */
const MESSAGE_CHARACTERS = 256 * 1024;
const NORMAL = 1000;

/** Gathers events into messages of a sensible size: bytes, so that the Worker passes them on as they are. */
export class EventMessages {
  readonly #encoder = new TextEncoder();
  readonly #full: Uint8Array[] = [];
  #lines: string[] = [];
  #characters = 0;

  add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters >= MESSAGE_CHARACTERS) this.#pack();
  }

  /** All of them, none empty. */
  end(): readonly Uint8Array[] {
    this.#pack();
    return this.#full;
  }

  #pack(): void {
    if (this.#lines.length > 0) this.#full.push(this.#encoder.encode(`${this.#lines.join('\n')}\n`));
    this.#lines = [];
    this.#characters = 0;
  }
}

export function sendAll(socket: WebSocket, messages: readonly Uint8Array[]): void {
  for (const message of messages) socket.send(message);
}

export function sendLine(socket: WebSocket, line: string): void {
  const messages = new EventMessages();
  messages.add(line);
  sendAll(socket, messages.end());
}

/** What a watch cannot go on with is told as its last event. */
export function endWith(socket: WebSocket, error: StatusError): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  sendLine(socket, eventText('ERROR', JSON.stringify(error.status)));
  socket.close(NORMAL, 'error');
}

/** Undefined: the watcher does not hear of it. */
export function selected(change: Change, { attachment, selection }: Watcher): Change['type'] | undefined {
  if (attachment.namespace !== undefined && change.namespace !== attachment.namespace) return undefined;
  if (selection.isEmpty) return change.type;
  return selectedType(change, (entries) => selection.selects(entries, change.namespace, change.name));
}

/** Some changes of one resource, selected, written and encoded once for all watchers of one view. */
export class WrittenOnce {
  readonly changes: readonly Change[];
  readonly #texts: EventTexts;
  readonly #byView = new Map<string, readonly Uint8Array[]>();

  constructor(changes: readonly Change[], texts: EventTexts) {
    this.changes = changes;
    this.#texts = texts;
  }

  of(watcher: Watcher): readonly Uint8Array[] {
    const { attachment, view } = watcher;
    const key = `${attachment.columnsTold} ${view}`;
    let found = this.#byView.get(key);
    if (found === undefined) {
      found = this.#written(watcher);
      this.#byView.set(key, found);
    }
    return found;
  }

  #written(watcher: Watcher): readonly Uint8Array[] {
    const messages = new EventMessages();
    // The columns are told with the first of these events, by whichever watcher they are written for.
    const viewer = { ...watcher, attachment: { ...watcher.attachment } };
    for (const change of this.changes) {
      const type = selected(change, watcher);
      if (type !== undefined) messages.add(this.#texts.of(type, change, viewer));
    }
    return messages.end();
  }
}
