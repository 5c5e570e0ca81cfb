/**
 * A client's WebSocket at the Worker, which can be told neither to wait nor how much it has read: what bounds memory for
 * it, in both directions. What the messages mean is in `worker/http/streams` and `worker/edge`.
 */

/** What a client's bytes may pile up to before its stream is given up. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** What they may pile up to before reading is paused, where it can be: in an object of the client's own (`worker/relay.ts`). */
export const PAUSE_BYTES = 1024 * 1024;
/** Stops reading from the client for a moment. May be called again while it lasts. */
export type Pause = () => void;
/** What a client may leave unread before its stream gets no more credit. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const LOOK_AGAIN_MS = 20;

/** Sends, and calls `taken` once the client keeps up. */
export function sendSlowly(socket: WebSocket, message: Uint8Array | string, taken: () => void): void {
  if (socket.readyState !== WebSocket.OPEN) {
    taken();
    return;
  }
  socket.send(message);
  whenRead(socket, taken);
}

export function whenRead(socket: WebSocket, taken: () => void): void {
  if (socket.readyState !== WebSocket.OPEN || bufferedBytes(socket) <= MAX_UNREAD_BYTES) taken();
  else setTimeout(() => whenRead(socket, taken), LOOK_AGAIN_MS);
}

/**
 * What a socket holds back for its reader. Newer workerd tell; the pinned one and the published types do not, and there
 * nothing but the client's own speed limits what waits for it.
 */
export const bufferedBytes = (socket: WebSocket): number =>
  (socket as WebSocket & { bufferedAmount?: number }).bufferedAmount ?? 0;

/** Closing twice, or what is closed, is fine. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  // A close frame has room for 123 bytes.
  if (socket.readyState === WebSocket.OPEN) socket.close(code, reason.slice(0, 100));
}
