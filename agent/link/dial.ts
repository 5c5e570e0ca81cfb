/** Outbound WebSockets over `ws`, as the kept sockets want them. The token travels in the upgrade's header. */
import { WebSocket } from 'ws';
import type { Dial } from './kept-socket.ts';

const HANDSHAKE_TIMEOUT_MS = 15_000;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

export interface DialSettings {
  /** http(s) base URL of the cluster, without a trailing slash. */
  server: string;
  path: string;
  /** Asked at each attempt: it changes after joining. */
  token(): string;
  ca?: string | undefined;
}

export function dialler(settings: DialSettings): Dial {
  return (events) => {
    const socket = new WebSocket(`${settings.server.replace(/^http/, 'ws')}${settings.path}`, {
      headers: { authorization: `Bearer ${settings.token()}` },
      ...(settings.ca === undefined ? {} : { ca: settings.ca }),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
    });
    let over = false;
    const down = (reason: string, status?: number) => {
      if (over) return;
      over = true;
      events.down(reason, status);
    };
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => events.open());
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) events.binary(data);
      else events.text(data.toString('utf8'));
    });
    socket.on('unexpected-response', (request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (body.length < 4096) body += chunk;
      });
      response.on('close', () => {
        request.destroy();
        down(`HTTP ${response.statusCode ?? 0}: ${messageOf(body)}`, response.statusCode);
      });
    });
    socket.on('error', (error) => down(error.message));
    socket.on('close', (code, reason) => down(reason.length > 0 ? reason.toString() : `closed with code ${code}`));
    return {
      send: (data, sent) => {
        // What is written to a socket that is going down is lost either way; `down` tells of it.
        if (socket.readyState === WebSocket.OPEN) socket.send(data, () => sent?.());
        else sent?.();
      },
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
    };
  };
}

/** The message of a Status, or the text as it is. */
function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: string };
    return message ?? body;
  } catch (error) {
    if (error instanceof SyntaxError) return body.trim();
    throw error;
  }
}
