/** pods/log: a container's log as chunked text, or as messages over a WebSocket. */
import type { LogsHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents } from '../../../shared/tunnel/stream.ts';
import { TunnelEnds } from '../../../shared/tunnel/streams.ts';
import type { Env } from '../../env.ts';
import { closeSocket, sendSlowly } from '../../links/client-socket.ts';
import { openStream, statusErrorOf, statusErrorOfEnd, type TunnelTarget } from '../../links/tunnel.ts';
import { base64Of, chooseSubprotocol, LOG_PROTOCOLS } from './subprotocols.ts';
import { isUpgrade, upgraded } from './upgrade.ts';

const HEADERS = { 'Content-Type': 'text/plain', 'Cache-Control': 'no-cache, private, no-transform' };

/** The log of a pod that is assigned to no minion yet. */
export const emptyLog = (): Response => new Response('', { headers: HEADERS });

export async function logs(request: Request, env: Env, target: TunnelTarget, header: LogsHeader): Promise<Response> {
  if (isUpgrade(request)) return logMessages(request, env, target, header);
  const { readable, writable } = new IdentityTransformStream();
  const ends = new TunnelEnds({ 0: writable.getWriter() });
  const stream = await openStream(env, target, header, ends);
  ends.stream = stream;
  request.signal.addEventListener('abort', () => stream.reset('the client went away'));
  const head = await ends.answered;
  if (!head.ok) throw 'status' in head ? statusErrorOf(head.status) : statusErrorOfEnd(head.end);
  return new Response(readable, { headers: HEADERS });
}

async function logMessages(request: Request, env: Env, target: TunnelTarget, header: LogsHeader): Promise<Response> {
  const protocol = chooseSubprotocol(request, LOG_PROTOCOLS);
  const { socket, response } = upgraded(protocol);
  const events: StreamEvents = {
    head: (head) => {
      if (!head.ok) closeSocket(socket, 1011, head.status.message ?? '');
    },
    data: (_channel, bytes) => {
      const message = protocol.base64 ? base64Of(bytes) : bytes.slice();
      sendSlowly(socket, message, () => stream.consumed(bytes.length));
    },
    close: (end) => closeSocket(socket, end.error === undefined ? 1000 : 1011, end.error ?? ''),
  };
  const stream = await openStream(env, target, header, events);
  socket.addEventListener('close', () => stream.reset('the client went away'));
  return response;
}
