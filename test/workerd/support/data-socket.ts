/** The minion's end of the data socket: a Session whose streams a test answers. */
import { DATA_PATH } from '../../../shared/link/protocol.ts';
import type { StreamHeader } from '../../../shared/tunnel/kinds.ts';
import { Session } from '../../../shared/tunnel/session.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import { minionClaims } from '../../../worker/http/tokens.ts';
import { type TestApi, tokenOf } from './api.ts';

export type StreamHandler = (stream: TunnelStream, header: StreamHeader) => StreamEvents;

/** Opened as the agent opens it. */
export async function dataSocket(api: TestApi, node: string, handler: StreamHandler): Promise<WebSocket> {
  const token = await tokenOf(minionClaims(api.cluster, node, `machine-of-${node}`));
  const response = await api.fetch('GET', DATA_PATH, { token, headers: { Upgrade: 'websocket' } });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status} ${await response.text()}`);
  socket.binaryType = 'arraybuffer';
  const session = new Session({
    onOutput: () =>
      queueMicrotask(() => {
        for (let message = session.takeOutput(); message; message = session.takeOutput()) socket.send(message);
      }),
    onOpen: handler,
  });
  socket.addEventListener('message', ({ data }) => session.receive(new Uint8Array(data as ArrayBuffer)));
  socket.accept();
  return socket;
}
