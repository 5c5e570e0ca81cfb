/**
 * Clients that send much (stdin, port-forward) are served in a Relay object of their own: a Worker cannot stop reading a
 * WebSocket, an object can, by closing its gate for a moment. What else a Relay does is `worker/relay.ts`.
 */
import { StatusError } from '../../../shared/errors.ts';
import type { AttachHeader, ExecHeader, PortForwardHeader } from '../../../shared/tunnel/kinds.ts';
import type { Env } from '../../env.ts';
import type { Pause } from '../../links/client-socket.ts';
import type { TunnelTarget } from '../../links/tunnel.ts';
import { portForward } from './portforward.ts';
import { terminal } from './terminal.ts';

/** Where a Relay object takes such a client. */
export const UPLOAD_PATH = '/upload';

export type Upload =
  | { target: TunnelTarget; terminal: ExecHeader | AttachHeader }
  | { target: TunnelTarget; portforward: Omit<PortForwardHeader, 'kind' | 'ports'>; query: string };

type RelayEnv = Pick<Env, 'RELAY'>;

/** The Worker's side: hands the client over. */
export function startUpload(request: Request, env: RelayEnv, upload: Upload): Promise<Response> {
  const protocols = request.headers.get('sec-websocket-protocol');
  const headers = { Upgrade: 'websocket', ...(protocols === null ? {} : { 'Sec-WebSocket-Protocol': protocols }) };
  const url = `https://relay${UPLOAD_PATH}?${new URLSearchParams({ upload: JSON.stringify(upload) })}`;
  return env.RELAY.get(env.RELAY.newUniqueId()).fetch(url, { headers });
}

/** The object's side. What goes wrong before the upgrade is a Status, as the client wants it. */
export async function answerUpload(request: Request, env: RelayEnv, pause: Pause): Promise<Response> {
  const upload = JSON.parse(new URL(request.url).searchParams.get('upload') ?? '') as Upload;
  try {
    if ('terminal' in upload) return terminal(request, env, upload.target, upload.terminal, pause);
    const query = new URLSearchParams(upload.query);
    return await portForward(request, env, upload.target, upload.portforward, query, pause);
  } catch (error) {
    if (error instanceof StatusError) return Response.json(error.status, { status: error.code });
    throw error;
  }
}
