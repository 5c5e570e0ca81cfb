/**
 * A cluster as an OpenID provider: services outside of it can verify its service accounts' tokens with what stands here,
 * publicly. The Worker answers; no object is asked.
 * Source: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
 */
import { DEFAULTS } from '../../shared/defaults.ts';
import { publicKeys } from './tokens.ts';

export const DISCOVERY_PATH = '/.well-known/openid-configuration';
export const KEYS_PATH = '/openid/v1/jwks';

const CACHED = { 'cache-control': 'public, max-age=3600' };

/** Who signs a cluster's service account tokens: its public address. */
export const issuerOf = (apiUrl: string, cluster: string): string =>
  cluster === DEFAULTS.clusterName ? apiUrl : `${apiUrl}/clusters/${cluster}`;

/** Undefined: the path is none of these. */
export async function issuerAnswer(path: string, issuer: string, secret: string): Promise<Response | undefined> {
  if (path === DISCOVERY_PATH) {
    const document = {
      issuer,
      jwks_uri: `${issuer}${KEYS_PATH}`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
    return new Response(JSON.stringify(document), { headers: { 'content-type': 'application/json', ...CACHED } });
  }
  if (path !== KEYS_PATH) return undefined;
  const keys = { keys: await publicKeys(secret) };
  return new Response(JSON.stringify(keys), { headers: { 'content-type': 'application/jwk-set+json', ...CACHED } });
}
