/**
 * What watchers are told, as bytes: events that travel together, written and encoded once for all who ask for the same; and
 * how they are sent, counted against a watcher's credit.
 */
import { StatusError } from '../../shared/errors.ts';
import { selectedType } from '../store/selection.ts';
import type { Change } from '../store/store.ts';
import { type EventTexts, eventText, type Watcher } from './event-texts.ts';
import { release, write } from './watch-credit.ts';

/** Events travel together, each with its newline, up to about this much. */
const MESSAGE_CHARACTERS = 256 * 1024;
const CLOSE = { normal: 1000, internal: 1011 } as const;

export interface Message {
  bytes: Uint8Array;
  /** Of its last event. */
  revision: number;
}

/** Gathers events into messages of a sensible size: bytes, so that the Worker passes them on as they are. */
export class EventMessages {
  readonly #encoder = new TextEncoder();
  readonly #full: Message[] = [];
  #lines: string[] = [];
  #characters = 0;
  #revision = 0;

  add(line: string, revision: number): void {
    this.#lines.push(line);
    this.#characters += line.length;
    this.#revision = revision;
    if (this.#characters >= MESSAGE_CHARACTERS) this.#pack();
  }

  /** All of them, none empty. */
  end(): readonly Message[] {
    this.#pack();
    return this.#full;
  }

  #pack(): void {
    if (this.#lines.length > 0) {
      this.#full.push({ bytes: this.#encoder.encode(`${this.#lines.join('\n')}\n`), revision: this.#revision });
    }
    this.#lines = [];
    this.#characters = 0;
  }
}

export function send(socket: WebSocket, watcher: Watcher, message: Message): void {
  socket.send(message.bytes);
  if (write(watcher.attachment.flow, message.bytes.byteLength)) save(socket, watcher);
}

export function sendLine(socket: WebSocket, watcher: Watcher, line: string, revision: number): void {
  const messages = new EventMessages();
  messages.add(line, revision);
  for (const message of messages.end()) send(socket, watcher, message);
}

/** From here on the object may be dropped from memory. */
export const save = (socket: WebSocket, { attachment }: Watcher): void => socket.serializeAttachment(attachment);

/** What a watch cannot go on with is told as its last event; of a bug it is not told more than that it ends. */
export function endWith(socket: WebSocket, error: unknown, log: (entry: Record<string, unknown>) => void): void {
  if (error instanceof StatusError) {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(new TextEncoder().encode(`${eventText('ERROR', JSON.stringify(error.status))}\n`));
    socket.close(CLOSE.normal, 'error');
    return;
  }
  const stack = error instanceof Error ? error.stack : String(error);
  log({ level: 'error', room: 'links', message: 'a watcher could not be told', error: stack });
  socket.close(CLOSE.internal, 'an event could not be written');
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
  readonly #byView = new Map<string, readonly Message[]>();

  constructor(changes: readonly Change[], texts: EventTexts) {
    this.changes = changes;
    this.#texts = texts;
  }

  get firstRevision(): number {
    return this.changes[0]?.revision ?? 1;
  }

  of(watcher: Watcher): readonly Message[] {
    const { attachment, view } = watcher;
    const key = `${attachment.columnsTold} ${view}`;
    let found = this.#byView.get(key);
    if (found === undefined) {
      found = this.#written(watcher);
      this.#byView.set(key, found);
    }
    return found;
  }

  /** Nobody is to be told any more. */
  release(): void {
    for (const messages of this.#byView.values()) for (const { bytes } of messages) release(bytes);
    this.#byView.clear();
  }

  #written(watcher: Watcher): readonly Message[] {
    const messages = new EventMessages();
    // The columns are told with the first of these events, by whichever watcher they are written for.
    const viewer = { ...watcher, attachment: { ...watcher.attachment } };
    for (const change of this.changes) {
      const type = selected(change, watcher);
      if (type !== undefined) messages.add(this.#texts.of(type, change, viewer), change.revision);
    }
    return messages.end();
  }
}
