/**
 * POST serviceaccounts/NAME/token: a signed token of a service account, bound to a pod or a secret if asked.
 * Source: kubernetes, pkg/registry/core/serviceaccount/storage/token.go
 */
import { type Pod, SERVICE_ACCOUNTS, type Secret, type ServiceAccount } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest, conflict, invalid, invalidValue, notFound } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import type { Reader } from '../store/store.ts';
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
  cluster: string;
  nowMs(): number;
}

const KIND = { group: 'authentication.k8s.io', kind: 'TokenRequest' };
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
const DEFAULT_SECONDS = 3600;

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
  const resource = kind === 'Pod' ? 'pods' : kind === 'Secret' ? 'secrets' : undefined;
  if (resource === undefined || (ref.apiVersion ?? 'v1') !== 'v1') {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to ${kind}: unsupported kind`,
    );
  }
  const object = read<Pod | Secret>(reader, resource, namespace, name);
  if (object === undefined) throw notFound({ group: '', resource }, name);
  if (uid && uid !== object.metadata.uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', resource }, name, why);
  }
  if (resource === 'pods' && (object as Pod).spec.serviceAccountName !== account.metadata.name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
    );
  }
  const bound = { name, uid: object.metadata.uid };
  return resource === 'pods' ? { pod: bound } : { secret: bound };
}

export async function answerTokenRequest(
  parts: TokenParts,
  namespace: string,
  name: string,
  object: KubeObject,
): Promise<KubeObject> {
  const request = object as TokenRequest;
  const account = read<ServiceAccount>(parts.reader, 'serviceaccounts', namespace, name);
  if (account === undefined) throw notFound(SERVICE_ACCOUNTS, name);
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
    seconds,
    audiences,
  );
  const nowMs = parts.nowMs();
  const token = await mintToken(parts.secret, claims, nowMs);
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: formatTime(nowMs) },
    spec: { audiences, expirationSeconds: seconds, ...(boundObjectRef === undefined ? {} : { boundObjectRef }) },
    status: { token, expirationTimestamp: formatTime(nowMs + seconds * 1000) },
  } as unknown as KubeObject;
}
