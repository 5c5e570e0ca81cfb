/** The client's side of an upgraded stream: the 101 with its subprotocol. Sending on it is `worker/links/client-socket.ts`. */
import type { Subprotocol } from './subprotocols.ts';

export interface ClientSocket {
  socket: WebSocket;
  response: Response;
}

/** A pair of sockets and the answer that hands one to the client. */
export function upgraded(protocol: Subprotocol): ClientSocket {
  const { 0: theirs, 1: ours } = new WebSocketPair();
  ours.binaryType = 'arraybuffer';
  ours.accept();
  const headers: Record<string, string> = protocol.name === '' ? {} : { 'Sec-WebSocket-Protocol': protocol.name };
  return { socket: ours, response: new Response(null, { status: 101, headers, webSocket: theirs }) };
}

export const isUpgrade = (request: Request): boolean => request.headers.get('upgrade')?.toLowerCase() === 'websocket';
