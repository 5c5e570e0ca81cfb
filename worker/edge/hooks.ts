/**
 * The HTTP side of webhooks: `POST /hooks/NAMESPACE/NAME` and `POST /clusters/CLUSTER/hooks/NAMESPACE/NAME`. Reads and bounds
 * the request; whether it is genuine and what it does is decided in the Cluster object, which has the key
 * (`worker/controllers/hook-delivery.ts`). A request without anything like a signature wakes no object.
 */
import { DEFAULTS } from '../../shared/defaults.ts';
import type { ClusterRpc } from '../rpc.ts';

export const MAX_BODY_BYTES = 1024 * 1024;
const MAX_DELIVERY_ID = 128;

/** The part of `Env` that hooks use. */
export interface HookClusters {
  CLUSTER: { idFromName(name: string): unknown; get(id: unknown): Pick<ClusterRpc, 'deliver'> };
}

export interface HookPath {
  cluster: string;
  namespace: string;
  name: string;
}

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const PATH = new RegExp(`^(?:/clusters/(${LABEL}))?/hooks/(${LABEL})/(${LABEL}(?:\\.${LABEL})*)$`);
const SIGNATURE = /^sha256=[0-9a-fA-F]{64}$/;
const FORWARDED = ['content-type', 'x-github-event', 'x-hub-signature-256', 'x-longshore-signature'];

/** undefined: the path is not that of a hook. */
export function parseHookPath(path: string): HookPath | undefined {
  const match = PATH.exec(path);
  if (match === null) return undefined;
  const [, cluster = DEFAULTS.clusterName, namespace = '', name = ''] = match;
  return name.length > 253 ? undefined : { cluster, namespace, name };
}

export async function handleHook(request: Request, env: HookClusters): Promise<Response> {
  const path = parseHookPath(new URL(request.url).pathname);
  if (path === undefined) return answer(404, 'not found');
  if (request.method !== 'POST') return answer(405, 'a hook takes POST', { Allow: 'POST' });
  if (!hasSignature(request.headers)) return answer(401, 'the signature does not match');
  const body = await readBody(request);
  if (body === undefined) return answer(413, `a delivery may have ${MAX_BODY_BYTES} bytes at most`);
  const { cluster, namespace, name } = path;
  const deliveryId = await deliveryIdOf(request.headers, body);
  const headers = Object.fromEntries(
    FORWARDED.flatMap((header) => {
      const value = request.headers.get(header);
      return value === null ? [] : [[header, value]];
    }),
  );
  const object = env.CLUSTER.get(env.CLUSTER.idFromName(cluster));
  const { code, message } = await object.deliver({ namespace, name, deliveryId, headers, body });
  return answer(code, message);
}

function answer(code: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ message }, { status: code, headers: { 'Cache-Control': 'no-store', ...headers } });
}

const hasSignature = (headers: Headers): boolean =>
  ['x-hub-signature-256', 'x-longshore-signature'].some((header) => SIGNATURE.test(headers.get(header) ?? ''));

/** The whole body, or undefined when it is too large; what is too large is not read to its end. */
async function readBody(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

/** As the sender names it; a sender that names nothing is known by what it sends. */
async function deliveryIdOf(headers: Headers, body: Uint8Array): Promise<string> {
  const named = headers.get('x-github-delivery') ?? headers.get('x-longshore-delivery') ?? '';
  if (/^[\x21-\x7e]+$/.test(named) && named.length <= MAX_DELIVERY_ID) return named;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(body)));
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
