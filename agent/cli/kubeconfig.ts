/** The kubeconfig that Longshore hands out: one cluster, one user, one context, all named `longshore`. */
import { stringify } from 'yaml';

export interface KubeconfigFacts {
  server: string;
  /** PEM. */
  ca: string;
  token: string;
}

const NAME = 'longshore';

/** As YAML. Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
export function kubeconfig(facts: KubeconfigFacts): string {
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: NAME,
          cluster: {
            server: facts.server,
            'certificate-authority-data': Buffer.from(facts.ca).toString('base64'),
          },
        },
      ],
      users: [{ name: NAME, user: { token: facts.token } }],
      contexts: [{ name: NAME, context: { cluster: NAME, user: NAME } }],
      'current-context': NAME,
    },
    { lineWidth: 0 },
  );
}
