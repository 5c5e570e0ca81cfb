/**
 * The Worker end of a stream to a minion: one WebSocket to the minion's Relay, with one Session and one stream on it.
 * Used by the streams of the API (`worker/http`) and by public requests (`worker/edge`). Joining is `worker/relay.ts`.
 */
import type { Status } from '../../shared/api/meta.ts';
import { internalError, StatusError } from '../../shared/errors.ts';
import { ProtocolError } from '../../shared/tunnel/frames.ts';
import type { StreamEnd, StreamHeader } from '../../shared/tunnel/kinds.ts';
import { Session } from '../../shared/tunnel/session.ts';
import type { StreamEvents, TunnelStream } from '../../shared/tunnel/stream.ts';
import type { Env } from '../env.ts';

export interface TunnelTarget {
  cluster: string;
  node: string;
}

type RelayEnv = Pick<Env, 'RELAY'>;

/**
 * Opens a stream of this kind on the minion; its events begin once this has resolved.
 * @throws StatusError 503 when the minion is not connected; RangeError when the header is too long.
 */
export async function openStream(
  env: RelayEnv,
  target: TunnelTarget,
  header: StreamHeader,
  events: StreamEvents,
): Promise<TunnelStream> {
  const answer = await askRelay(env, target, 'stream', { Upgrade: 'websocket' });
  const socket = answer.webSocket;
  if (socket === null) throw await statusErrorFrom(answer);
  socket.binaryType = 'arraybuffer';
  socket.accept();
  let isDue = false;
  const pump = (): void => {
    if (isDue) return;
    isDue = true;
    // One turn later, so that small frames of this turn share a message.
    queueMicrotask(() => {
      isDue = false;
      for (let message = session.takeOutput(); message !== undefined; message = session.takeOutput()) {
        if (socket.readyState === WebSocket.OPEN) socket.send(message);
      }
      if (session.streamCount === 0 && socket.readyState === WebSocket.OPEN) socket.close(1000, 'done');
    });
  };
  const session = new Session({ onOutput: pump });
  socket.addEventListener('message', ({ data }) => {
    if (typeof data === 'string') return;
    try {
      session.receive(new Uint8Array(data as ArrayBuffer));
      // The end of a stream that this side has closed before is no event; its socket must go all the same.
      if (session.streamCount === 0) pump();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      console.warn(JSON.stringify({ level: 'warn', room: 'links', node: target.node, malformed: error.message }));
      socket.close(1002, error.message.slice(0, 100));
      session.abort(error.message);
    }
  });
  const lost = (why: string) => session.abort(why === '' ? `minion ${target.node} disconnected` : why);
  socket.addEventListener('close', ({ reason }) => lost(reason));
  socket.addEventListener('error', () => lost(''));
  return session.open(header, {
    ...bound(events),
    close: (end: StreamEnd) => {
      events.close(end);
      pump();
    },
  });
}

/** @throws StatusError 503 when the minion is not connected. */
export async function requireConnected(env: RelayEnv, target: TunnelTarget): Promise<void> {
  const answer = await askRelay(env, target, 'connected');
  if (!answer.ok) throw await statusErrorFrom(answer);
}

/** Hands a minion's upgrade request to its Relay. */
export function connectMinion(env: RelayEnv, target: TunnelTarget): Promise<Response> {
  return askRelay(env, target, 'minion', { Upgrade: 'websocket' });
}

function askRelay(
  env: RelayEnv,
  { cluster, node }: TunnelTarget,
  path: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const relay = env.RELAY.get(env.RELAY.idFromName(`${cluster}/${node}`));
  return relay.fetch(`https://relay/${path}?node=${encodeURIComponent(node)}`, { headers });
}

async function statusErrorFrom(answer: Response): Promise<StatusError> {
  return statusErrorOf((await answer.json()) as Status);
}

/** A Status that came from another place, as the error that it was there. */
export function statusErrorOf(status: Status): StatusError {
  const { code = 500, reason = 'InternalError', message = '', details } = status;
  return new StatusError(code, reason, message, details);
}

/** Why a stream ended without an answer. */
export function statusErrorOfEnd(end: StreamEnd): StatusError {
  return end.status !== undefined ? statusErrorOf(end.status) : internalError(end.error ?? 'the stream ended early');
}

/** Events whose methods keep their object when they are spread. */
function bound(events: StreamEvents): StreamEvents {
  return {
    head: (head) => events.head?.(head),
    data: (channel, bytes) => events.data(channel, bytes),
    end: (channel) => events.end?.(channel),
    writable: () => events.writable?.(),
    close: (end) => events.close(end),
  };
}
