/** Asks the API, as this minion, for a token of a pod's service account, bound to the pod. */
import type { Pod } from '../../shared/api/core.ts';
import { knownToken } from '../link/join.ts';
import type { LinkSettings } from '../link/link.ts';
import { TokenRefused, type TokenSource } from '../pods/parts.ts';
import { ApiClient, ApiError } from './api-client.ts';

/** Longer than a busy cluster takes; a pod that has an old token waits no longer for its start. */
const LIMIT_MS = 10_000;
/** Said of the minion itself, or of the moment: nothing about the pod. */
const PASSING = new Set([401, 408, 429]);

export function podTokens(settings: LinkSettings): TokenSource {
  return async (namespace, serviceAccount, audience, expirationSeconds, pod) => {
    const client = new ApiClient({ url: settings.server, ca: settings.ca, token: knownToken(settings) });
    try {
      const { status } = await client.json<{ status: { token: string } }>(
        'POST',
        `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            ...(audience === '' ? {} : { audiences: [audience] }),
            expirationSeconds,
            boundObjectRef: referenceTo(pod),
          },
        },
        'application/json',
        AbortSignal.timeout(LIMIT_MS),
      );
      return status.token;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500 || PASSING.has(error.status)) throw error;
      throw new TokenRefused(error.message, { cause: error });
    } finally {
      client.close();
    }
  };
}

const referenceTo = ({ metadata }: Pod) => ({ apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid });
