/**
 * POST serviceaccounts/NAME/token: a signed token of a service account, bound to a pod, a secret or a node if asked. What a
 * minion may ask for is `admission/node-restriction.ts`.
 * Source: kubernetes, pkg/registry/core/serviceaccount/storage/token.go
 */
import { type Node, type Pod, SERVICE_ACCOUNTS, type Secret, type ServiceAccount } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest, conflict, invalid, invalidValue, notFound } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { AUTOMOUNTED_SECONDS } from '../admission/token-volume.ts';
import type { Reader } from '../store/store.ts';
import { API_AUDIENCE, mintToken, type ServiceAccountClaims, serviceAccountClaims } from './tokens.ts';

export interface TokenRequest extends KubeObject {
  spec?: {
    audiences?: string[];
    expirationSeconds?: number;
    boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string };
  };
  status?: unknown;
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

/**
 * What is asked for, with what was left out and what the server says of it, as validating webhooks and policies see it.
 * @throws StatusError 404 for no such account, 422
 */
export function settleTokenRequest(reader: Reader, nowMs: number, request: TokenRequest): void {
  const { name, namespace = '' } = request.metadata;
  if (reader.get({ resource: 'serviceaccounts', namespace, name }) === undefined) {
    throw notFound(SERVICE_ACCOUNTS, name);
  }
  const audiences = request.spec?.audiences?.length ? request.spec.audiences : [API_AUDIENCE];
  const expirationSeconds = request.spec?.expirationSeconds ?? DEFAULT_SECONDS;
  if (expirationSeconds < MIN_SECONDS || expirationSeconds > MAX_SECONDS) {
    const why =
      expirationSeconds < MIN_SECONDS
        ? 'may not specify a duration less than 10 minutes'
        : 'may not specify a duration larger than 2^32 seconds';
    throw invalid(KIND, '', [invalidValue('spec.expirationSeconds', expirationSeconds, why)]);
  }
  request.metadata.creationTimestamp = formatTime(nowMs);
  request.spec = { ...request.spec, audiences, expirationSeconds };
  delete request.status;
}

/** @param request settled. */
export async function answerTokenRequest(parts: TokenParts, request: TokenRequest): Promise<KubeObject> {
  const { name, namespace = '' } = request.metadata;
  const { boundObjectRef, audiences = [], expirationSeconds: seconds = DEFAULT_SECONDS } = request.spec ?? {};
  const account = read<ServiceAccount>(parts.reader, 'serviceaccounts', namespace, name);
  if (account === undefined) throw notFound(SERVICE_ACCOUNTS, name);
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
