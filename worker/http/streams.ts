/**
 * Streams of pods (`log`, `exec`, `attach`, `portforward`) and the minions' data socket, as the Worker serves them: finds
 * the pod's minion (the Cluster object authorizes that), then joins the client to a stream of the minion's Relay. One file
 * a subresource in `streams/`. Bulk bytes never pass the Cluster object.
 */
import { badRequest, methodNotAllowed, StatusError } from '../../shared/errors.ts';
import type { AttachHeader, ExecHeader } from '../../shared/tunnel/kinds.ts';
import type { Env } from '../env.ts';
import { nodeOf } from '../links/minion-sockets.ts';
import { connectMinion, requireConnected, statusErrorOf, type TunnelTarget } from '../links/tunnel.ts';
import type { PodLocation } from '../rpc.ts';
import type { UserInfo } from '../users.ts';
import { queryOf, streamOptions } from './connect-options.ts';
import type { RequestInfo } from './request-info.ts';
import { emptyLog, logs } from './streams/logs.ts';
import { parseLogOptions, parseTerminalOptions } from './streams/options.ts';
import { terminal } from './streams/terminal.ts';
import { isUpgrade } from './streams/upgrade.ts';
import { startUpload } from './streams/upload.ts';

const SUBRESOURCES = ['log', 'exec', 'attach', 'portforward'] as const;
type StreamSubresource = (typeof SUBRESOURCES)[number];

/** Whether a request is one for `handleStream`. */
export const isStream = (info: RequestInfo): boolean =>
  info.group === '' && info.resource === 'pods' && info.name !== '' && isStreamSubresource(info.subresource);

const isStreamSubresource = (subresource: string): subresource is StreamSubresource =>
  (SUBRESOURCES as readonly string[]).includes(subresource);

type Found = { request: Request; env: Env; info: RequestInfo; target: TunnelTarget; location: PodLocation };

/** @throws StatusError before the answer has begun */
export async function handleStream(
  request: Request,
  env: Env,
  cluster: string,
  info: RequestInfo,
  user: UserInfo,
): Promise<Response> {
  const { namespace, name, subresource, verb, query } = info;
  if (!isStreamSubresource(subresource)) throw new Error(`${subresource} is no stream`);
  const container = query.get('container') ?? undefined;
  const options = streamOptions(info);
  const asked = { namespace, name, subresource, verb, options, ...(container ? { container } : {}) };
  const outcome = await env.CLUSTER.get(env.CLUSTER.idFromName(cluster)).locatePod(user, asked);
  if (!outcome.ok) throw statusErrorOf(outcome.status);
  const { options: changed, ...location } = outcome.value;
  const admitted = changed === undefined ? info : { ...info, query: queryOf(subresource, changed) };
  return ANSWERS[subresource]({ request, env, info: admitted, target: { cluster, node: location.node }, location });
}

const ANSWERS: Record<StreamSubresource, (found: Found) => Promise<Response>> = {
  async log({ request, env, info, target, location }) {
    if (request.method !== 'GET') throw methodNotAllowed({ group: '', resource: 'pods/log' }, info.verb);
    const options = parseLogOptions(info.query, info.name, Date.now());
    if (target.node === '') return emptyLog();
    return logs(request, env, target, {
      kind: 'logs',
      ...podOf(info, location),
      container: location.container,
      ...options,
    });
  },
  async exec(found) {
    const { request, env, info, target, location } = found;
    const options = parseTerminalOptions(info.query);
    if (options.command.length === 0) throw badRequest('you must specify at least one command for the container');
    await requireWebSocket(found);
    const { container } = location;
    return openTerminal(request, env, target, { kind: 'exec', ...podOf(info, location), container, ...options });
  },
  async attach(found) {
    const { request, env, info, target, location } = found;
    const { stdout, stderr, stdin } = parseTerminalOptions(info.query);
    await requireWebSocket(found);
    return openTerminal(request, env, target, {
      kind: 'attach',
      ...podOf(info, location),
      container: location.container,
      stdout,
      stderr: stderr && !location.tty,
      // Kubernetes: what the container was made with decides.
      stdin: stdin && location.stdin,
      tty: location.tty,
    });
  },
  async portforward(found) {
    const { request, env, info, target, location } = found;
    await requireWebSocket(found);
    const { hostNetwork } = location;
    const portforward = { ...podOf(info, location), hostNetwork };
    return startUpload(request, env, { target, portforward, query: info.query.toString() });
  },
};

/** Only a client that sends is worth an object of its own. */
async function openTerminal(
  request: Request,
  env: Env,
  target: TunnelTarget,
  header: ExecHeader | AttachHeader,
): Promise<Response> {
  if (!header.stdin) return terminal(request, env, target, header);
  return startUpload(request, env, { target, terminal: header });
}

const podOf = (info: RequestInfo, location: PodLocation) => ({
  namespace: info.namespace,
  pod: info.name,
  uid: location.uid,
});

/**
 * Older clients upgrade to SPDY with a POST, which a Worker cannot accept; newer ones do so too, after a failed WebSocket,
 * and then show this second answer: so whatever failed then must be said again here.
 */
async function requireWebSocket({ request, env, info, target }: Found): Promise<void> {
  if (isUpgrade(request)) return;
  await requireConnected(env, target);
  const since = info.subresource === 'portforward' ? '1.31' : '1.30';
  if (request.headers.has('upgrade')) {
    throw new StatusError(
      400,
      'BadRequest',
      `${info.subresource} over SPDY is not supported here, only over WebSocket: use kubectl ${since} or newer`,
    );
  }
  throw badRequest('Upgrade request required');
}

/** A minion's data socket, below DATA_PATH. @throws StatusError 403 for anybody but a minion */
export async function handleDataSocket(request: Request, env: Env, cluster: string, user: UserInfo): Promise<Response> {
  const node = nodeOf(user);
  if (!isUpgrade(request)) throw badRequest('Upgrade request required');
  return connectMinion(env, { cluster, node });
}
