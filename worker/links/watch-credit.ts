/**
 * How far ahead of its client a watch may be, as both its ends count it: the Cluster object what it wrote, the Worker what its
 * client took, in bytes of the object's messages. The Worker says so now and then; beyond its credit the object waits.
 *
 * Hibernation: what was taken is kept in the socket's attachment at once, what was written only now and then. So an object that
 * wakes may believe that less is under way than is, by what one acknowledgement covers, and never more: it does not wait for
 * an acknowledgement that will not come.
 */

/** Written and not known to be taken: from here on nothing more is. What is under way is more by one message at most. */
export const CREDIT_BYTES = 1024 * 1024;
/**
 * Taken since it was last said so: a message of the socket each time, of which twenty cost what one request does. An idle
 * watcher sends none. Must be below the credit.
 */
export const ACKNOWLEDGE_BYTES = 256 * 1024;

/** In a socket's attachment. Both since the socket was opened. */
export interface Flow {
  writtenBytes: number;
  takenBytes: number;
}

/** @returns whether that is to be kept in the attachment now. */
export function write(flow: Flow, bytes: number): boolean {
  const before = flow.writtenBytes;
  flow.writtenBytes += bytes;
  return Math.floor(before / ACKNOWLEDGE_BYTES) !== Math.floor(flow.writtenBytes / ACKNOWLEDGE_BYTES);
}

export const NEW_FLOW: Readonly<Flow> = { writtenBytes: 0, takenBytes: 0 };

export const hasCredit = ({ writtenBytes, takenBytes }: Flow): boolean => writtenBytes - takenBytes < CREDIT_BYTES;

/** The client has this much. */
export function acknowledge(flow: Flow, takenBytes: number): void {
  flow.takenBytes = takenBytes;
  // An object that was asleep has forgotten the last of what it wrote.
  flow.writtenBytes = Math.max(flow.writtenBytes, takenBytes);
}

/**
 * Gives back the memory of what was sent, at once: the collector does not count it, and comes late. Whoever still has to send
 * it holds on to it. The bytes are empty afterwards.
 */
export const release = (bytes: Uint8Array): void => void (bytes.buffer as ArrayBuffer).transfer(0);

const PREFIX = 'taken ';

/** Of all bytes since the socket was opened. */
export const formatTaken = (takenBytes: number): string => `${PREFIX}${takenBytes}`;

/** Undefined: the message is another. */
export function parseTaken(message: string | ArrayBuffer): number | undefined {
  if (typeof message !== 'string' || !message.startsWith(PREFIX)) return undefined;
  const bytes = Number(message.slice(PREFIX.length));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The Worker's count of what its client took. */
export class TakenBytes {
  readonly #socket: WebSocket;
  #bytes = 0;
  #saidBytes = 0;

  /** @param socket to the object. */
  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes - this.#saidBytes < ACKNOWLEDGE_BYTES || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(formatTaken(this.#bytes));
    this.#saidBytes = this.#bytes;
  }
}
