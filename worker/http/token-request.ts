/**
 * POST serviceaccounts/NAME/token: a signed token of a service account, bound to a pod, a secret or a node if asked.
 * Source: kubernetes, pkg/registry/core/serviceaccount/storage/token.go
 */
import { type Node, type Pod, SERVICE_ACCOUNTS, type Secret, type ServiceAccount } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest, conflict, forbidden, invalid, invalidValue, notFound } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { AUTOMOUNTED_SECONDS } from '../admission/token-volume.ts';
import type { Reader } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import { API_AUDIENCE, mintToken, type ServiceAccountClaims, serviceAccountClaims } from './tokens.ts';

interface TokenRequest extends KubeObject {
  spec?: {
    audiences?: string[];
    expirationSeconds?: number;
    boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string };
  };
}

export interface TokenParts {
  reader: Reader;
  secret: string;
  /** Who the tokens say signed them. */
  issuer: string;
  cluster: string;
  nowMs(): number;
}

const KIND = { group: 'authentication.k8s.io', kind: 'TokenRequest' };
const BOUND: Record<string, 'pods' | 'secrets' | 'nodes' | undefined> = {
  Pod: 'pods',
  Secret: 'secrets',
  Node: 'nodes',
};
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
const DEFAULT_SECONDS = 3600;
/** Kubernetes: programs that read their automatically mounted token once, at their start, work on for this long. */
const EXTENDED_SECONDS = 365 * 24 * 3600;

function read<T extends KubeObject>(reader: Reader, resource: string, namespace: string, name: string): T | undefined {
  const stored = reader.get({ resource, namespace, name });
  return stored === undefined ? undefined : (JSON.parse(stored.text) as T);
}

function boundTo(
  reader: Reader,
  namespace: string,
  account: ServiceAccount,
  ref: NonNullable<NonNullable<TokenRequest['spec']>['boundObjectRef']>,
): Partial<ServiceAccountClaims> {
  const { kind = '', name = '', uid } = ref;
  const resource = BOUND[kind];
  if (resource === undefined || (ref.apiVersion ?? 'v1') !== 'v1') {
    throw badRequest(`cannot bind token to object of type ${ref.apiVersion ?? ''}, Kind=${kind}`);
  }
  const object = read<Pod | Secret | Node>(reader, resource, resource === 'nodes' ? '' : namespace, name);
  if (object === undefined) throw notFound({ group: '', resource }, name);
  if (uid && uid !== object.metadata.uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', resource }, name, why);
  }
  const bound = { name, uid: object.metadata.uid };
  if (resource === 'nodes') return { node: bound };
  if (resource === 'secrets') return { secret: bound };
  const { serviceAccountName, nodeName } = (object as Pod).spec;
  if (serviceAccountName !== account.metadata.name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
    );
  }
  const node = nodeName ? read<Node>(reader, 'nodes', '', nodeName) : undefined;
  return { pod: bound, ...(node === undefined ? {} : { node: { name: node.metadata.name, uid: node.metadata.uid } }) };
}

/** How long the token will be good, which is more than was asked for where a pod got it without asking. */
function lifetimeOf(bound: Partial<ServiceAccountClaims>, audiences: readonly string[], seconds: number): number {
  const isAutomounted = bound.pod !== undefined && seconds === AUTOMOUNTED_SECONDS;
  return isAutomounted && audiences.every((each) => each === API_AUDIENCE) ? EXTENDED_SECONDS : seconds;
}

const NODE_USER = 'system:node:';

/** A minion gets tokens of pods that run on it, and none that outlives them. Source: plugin/pkg/admission/noderestriction */
function restrictNode(user: UserInfo, reader: Reader, namespace: string, name: string, request: TokenRequest): void {
  if (!user.groups.includes('system:nodes') || !user.username.startsWith(NODE_USER)) return;
  const refused = (why: string) => forbidden(SERVICE_ACCOUNTS, name, why);
  const ref = request.spec?.boundObjectRef;
  if (ref?.apiVersion !== 'v1' || ref.kind !== 'Pod' || !ref.name) {
    throw refused('node requested token not bound to a pod');
  }
  if (!ref.uid) throw refused('node requested token with a pod binding without a uid');
  const pod = read<Pod>(reader, 'pods', namespace, ref.name);
  if (pod !== undefined && pod.spec.nodeName !== user.username.slice(NODE_USER.length)) {
    throw refused('node requested token bound to a pod scheduled on a different node');
  }
}

export async function answerTokenRequest(
  parts: TokenParts,
  user: UserInfo,
  namespace: string,
  name: string,
  object: KubeObject,
): Promise<KubeObject> {
  const request = object as TokenRequest;
  const account = read<ServiceAccount>(parts.reader, 'serviceaccounts', namespace, name);
  if (account === undefined) throw notFound(SERVICE_ACCOUNTS, name);
  restrictNode(user, parts.reader, namespace, name, request);
  const { boundObjectRef } = request.spec ?? {};
  const audiences = request.spec?.audiences?.length ? request.spec.audiences : [API_AUDIENCE];
  const seconds = request.spec?.expirationSeconds ?? DEFAULT_SECONDS;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) {
    const why =
      seconds < MIN_SECONDS
        ? 'may not specify a duration less than 10 minutes'
        : 'may not specify a duration larger than 2^32 seconds';
    throw invalid(KIND, '', [invalidValue('spec.expirationSeconds', seconds, why)]);
  }
  const bound = boundObjectRef === undefined ? {} : boundTo(parts.reader, namespace, account, boundObjectRef);
  const claims = serviceAccountClaims(
    parts.cluster,
    { namespace, serviceaccount: { name, uid: account.metadata.uid }, ...bound },
    lifetimeOf(bound, audiences, seconds),
    audiences,
    parts.issuer,
  );
  const nowMs = parts.nowMs();
  const token = await mintToken(parts.secret, claims, nowMs);
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: formatTime(nowMs) },
    spec: { audiences, expirationSeconds: seconds, ...(boundObjectRef === undefined ? {} : { boundObjectRef }) },
    // Kubernetes: what was asked for, so that a kubelet looks for a newer one by then.
    status: { token, expirationTimestamp: formatTime(nowMs + seconds * 1000) },
  } as unknown as KubeObject;
}
