/** How a command reaches the cluster of a data directory: through the kubeconfig that the start wrote there. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ApiClient } from './api-client.ts';
import type { Layout } from './control-plane/layout.ts';

interface Kubeconfig {
  'current-context'?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters: { name: string; cluster: { server: string; 'certificate-authority-data'?: string } }[];
  users: { name: string; user: { token?: string } }[];
}

/** @throws when no control plane was ever started from this directory */
export function readKubeconfig(layout: Layout): string {
  if (!existsSync(layout.kubeconfig)) {
    throw new Error(
      `there is no cluster in ${layout.dataDir} yet: start one with \`npm start\`, or name its folder with --data-dir`,
    );
  }
  return readFileSync(layout.kubeconfig, 'utf8');
}

/** As the administrator. */
export const clusterClient = (layout: Layout): ApiClient => clientOf(readKubeconfig(layout), layout.kubeconfig);

/** As whoever a kubeconfig says: of its current context, with a token. */
export function clientOf(text: string, path: string): ApiClient {
  const { clusters, users, contexts = [], ...rest } = parse(text) as Kubeconfig;
  const { context } = contexts.find(({ name }) => name === rest['current-context']) ?? {};
  const cluster = clusters.find(({ name }) => context === undefined || name === context.cluster)?.cluster;
  const user = users.find(({ name }) => context === undefined || name === context.user)?.user;
  if (cluster === undefined || user?.token === undefined)
    throw new Error(`${path} names no cluster and user with a token`);
  const ca = cluster['certificate-authority-data'];
  return new ApiClient({
    url: cluster.server,
    ...(ca === undefined ? {} : { ca: Buffer.from(ca, 'base64').toString('utf8') }),
    token: user.token,
  });
}
