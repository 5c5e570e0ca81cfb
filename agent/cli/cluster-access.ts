/** How a command reaches the cluster of a data directory: through the kubeconfig that the start wrote there. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ApiClient } from './api-client.ts';
import type { Layout } from './control-plane/layout.ts';

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { token: string } }[];
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
export function clusterClient(layout: Layout): ApiClient {
  const { clusters, users } = parse(readKubeconfig(layout)) as Kubeconfig;
  const cluster = clusters[0]?.cluster;
  const user = users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${layout.kubeconfig} names no cluster and user`);
  return new ApiClient({
    url: cluster.server,
    ca: Buffer.from(cluster['certificate-authority-data'], 'base64').toString('utf8'),
    token: user.token,
  });
}
