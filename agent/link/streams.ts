/**
 * What each kind of stream does on the minion: a table from kind to handler. Handlers are in `streams/`, one file a kind or
 * a family of kinds; they turn a tunnel stream into calls of the kubelet's streams or into connections to pods.
 */
import { badRequest } from '../../shared/errors.ts';
import type { StreamHeader, StreamKind } from '../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../shared/tunnel/stream.ts';
import { refuse, type StreamParts } from './streams/answer.ts';
import { dial } from './streams/dial.ts';
import { attach, exec } from './streams/exec.ts';
import { http } from './streams/http.ts';
import { logs } from './streams/logs.ts';
import { portForward } from './streams/portforward.ts';

export type Answer = (stream: TunnelStream, header: StreamHeader) => StreamEvents;
/** Must take events at once; what it does is asynchronous, and its errors end the stream. */
export type Handler<H extends StreamHeader> = (stream: TunnelStream, header: H, parts: StreamParts) => StreamEvents;

const HANDLERS: { [K in StreamKind]: Handler<Extract<StreamHeader, { kind: K }>> } = {
  exec,
  attach,
  logs,
  portforward: portForward,
  http,
  dial,
};

const IGNORED: StreamEvents = { data: () => undefined, close: () => undefined };

export function answering(parts: StreamParts): Answer {
  return (stream, header) => {
    // An older agent may not know a newer kind: the header comes from outside.
    const handler = HANDLERS[header.kind] as Handler<StreamHeader> | undefined;
    try {
      if (handler !== undefined) return handler(stream, header, parts);
      refuse(stream, badRequest(`this minion knows no streams of kind ${JSON.stringify(header.kind)}`));
    } catch (error) {
      // A header that is nonsense ends its stream, and no other.
      refuse(stream, error);
    }
    return IGNORED;
  };
}
