/**
 * Whether a token whose signature is good still holds: its service account exists with the same uid, and so does the pod
 * that it is bound to. Runs in the Cluster object, on what is stored.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { UserInfo } from '../env.ts';
import type { Reader } from '../store/store.ts';
import { POD_NAME_EXTRA, POD_UID_EXTRA } from './tokens.ts';

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

function uidOf(reader: Reader, resource: string, namespace: string, name: string): string | undefined {
  const stored = reader.get({ resource, namespace, name });
  return stored === undefined ? undefined : (JSON.parse(stored.text) as KubeObject).metadata.uid;
}

/** Undefined: it holds. Otherwise why not. */
export function whyTokenEnded(user: UserInfo, reader: Reader): string | undefined {
  const match = SERVICE_ACCOUNT.exec(user.username);
  if (match === null) return undefined;
  const [, namespace = '', name = ''] = match;
  const uid = uidOf(reader, 'serviceaccounts', namespace, name);
  if (uid === undefined) return `serviceaccounts ${JSON.stringify(name)} not found`;
  if (uid !== user.uid) return `service account UID (${uid}) does not match claim (${user.uid})`;
  const pod = user.extra?.[POD_NAME_EXTRA]?.[0];
  if (pod === undefined) return undefined;
  const podUid = uidOf(reader, 'pods', namespace, pod);
  if (podUid === undefined) return `pods ${JSON.stringify(pod)} not found`;
  return podUid === user.extra?.[POD_UID_EXTRA]?.[0] ? undefined : 'pod UID does not match claim';
}
