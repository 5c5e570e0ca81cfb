/**
 * Whether a token whose signature is good still holds: its service account exists with the same uid, and so does what it is
 * bound to: a pod, a secret, a node. Runs in the Cluster object, on what is stored.
 * Source: kubernetes, pkg/serviceaccount/claims.go
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import { parseTime } from '../../shared/time.ts';
import type { Reader } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import {
  CREDENTIAL_EXTRA,
  NODE_NAME_EXTRA,
  NODE_UID_EXTRA,
  POD_NAME_EXTRA,
  POD_UID_EXTRA,
  SECRET_EXTRA,
} from './tokens.ts';

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
/** Kubernetes: what ends keeps its tokens a little longer than it was asked to end. */
const LEEWAY_MS = 60_000;

/** Undefined: it holds. Otherwise why not. Users without a credential (impersonated ones) have no token to end. */
export function whyTokenEnded(user: UserInfo, reader: Reader, nowMs: number): string | undefined {
  const match = SERVICE_ACCOUNT.exec(user.username);
  if (match === null || user.extra?.[CREDENTIAL_EXTRA] === undefined) return undefined;
  const [, namespace = '', name = ''] = match;
  const account = read(reader, 'serviceaccounts', namespace, name);
  if (account === undefined || hasEnded(account, nowMs)) return `serviceaccounts ${JSON.stringify(name)} not found`;
  if (account.metadata.uid !== user.uid) {
    return `service account UID (${account.metadata.uid}) does not match claim (${user.uid})`;
  }
  for (const bound of boundTo(user, namespace)) {
    const object = read(reader, bound.resource, bound.namespace, bound.name);
    if (object === undefined || hasEnded(object, nowMs)) {
      return `${bound.resource} ${JSON.stringify(bound.name)} not found`;
    }
    if (object.metadata.uid !== bound.uid) {
      return `${bound.resource.slice(0, -1)} UID (${object.metadata.uid}) does not match claim (${bound.uid})`;
    }
  }
  return undefined;
}

function read(reader: Reader, resource: string, namespace: string, name: string): KubeObject | undefined {
  const stored = reader.get({ resource, namespace, name });
  return stored === undefined ? undefined : (JSON.parse(stored.text) as KubeObject);
}

function hasEnded({ metadata }: KubeObject, nowMs: number): boolean {
  const ends = parseTime(metadata.deletionTimestamp ?? '');
  return ends !== undefined && ends + LEEWAY_MS < nowMs;
}

interface Bound {
  resource: string;
  namespace: string;
  name: string;
  uid: string | undefined;
}

function boundTo({ extra = {} }: UserInfo, namespace: string): Bound[] {
  const pod = extra[POD_NAME_EXTRA]?.[0];
  // Kubernetes: the node of a bound pod is only told; the pod itself is what the token hangs on.
  if (pod !== undefined) return [{ resource: 'pods', namespace, name: pod, uid: extra[POD_UID_EXTRA]?.[0] }];
  const node = extra[NODE_NAME_EXTRA]?.[0];
  if (node !== undefined) return [{ resource: 'nodes', namespace: '', name: node, uid: extra[NODE_UID_EXTRA]?.[0] }];
  const secret = extra[SECRET_EXTRA]?.[0];
  if (secret === undefined) return [];
  const [name = '', uid] = secret.split('/');
  return [{ resource: 'secrets', namespace, name, uid }];
}
