/** pods/log: a container's log as chunked text, or as messages over a WebSocket. */
import type { StatusCause } from '../../../shared/api/meta.ts';
import { badRequest, forbiddenField, invalid, invalidValue } from '../../../shared/errors.ts';
import type { LogsHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents } from '../../../shared/tunnel/stream.ts';
import { TunnelEnds } from '../../../shared/tunnel/streams.ts';
import type { Env } from '../../env.ts';
import { closeSocket, sendSlowly } from '../../links/client-socket.ts';
import { openStream, statusErrorOf, statusErrorOfEnd, type TunnelTarget } from '../../links/tunnel.ts';
import { base64Of, chooseSubprotocol, LOG_PROTOCOLS } from './subprotocols.ts';
import { isUpgrade, upgraded } from './upgrade.ts';

export type LogOptions = Pick<
  LogsHeader,
  'follow' | 'previous' | 'timestamps' | 'tailLines' | 'limitBytes' | 'sinceMs'
>;

const TRUE = new Set(['true', '1', 'True', 'TRUE', 't', 'T']);

/** @throws StatusError 400 for what is no number, 422 as upstream's ValidatePodLogOptions */
export function parseLogOptions(query: URLSearchParams, podName: string, nowMs: number): LogOptions {
  const tailLines = integer(query, 'tailLines');
  const limitBytes = integer(query, 'limitBytes');
  const sinceSeconds = integer(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime') ?? '';
  const causes: StatusCause[] = [];
  if (tailLines !== undefined && tailLines < 0) {
    causes.push(invalidValue('tailLines', tailLines, 'must be greater than or equal to 0'));
  }
  if (limitBytes !== undefined && limitBytes < 1) {
    causes.push(invalidValue('limitBytes', limitBytes, 'must be greater than 0'));
  }
  if (sinceSeconds !== undefined && sinceTime !== '') {
    causes.push(forbiddenField('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    causes.push(invalidValue('sinceSeconds', sinceSeconds, 'must be greater than 0'));
  }
  if (causes.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, podName, causes);
  const since = sinceTime === '' ? undefined : Date.parse(sinceTime);
  if (since !== undefined && Number.isNaN(since)) throw badRequest(`sinceTime ${JSON.stringify(sinceTime)} is no time`);
  const sinceMs = sinceSeconds === undefined ? since : nowMs - sinceSeconds * 1000;
  const flag = (name: string) => TRUE.has(query.get(name) ?? '');
  return {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`${name}: ${JSON.stringify(text)} is no integer`);
  return Number(text);
}

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
