/** Where a pod's files are on the minion: kubelet's layout below the agent's data directory. Pure. */
import { join } from 'node:path';

export interface PodFiles {
  root: string;
  hosts: string;
  resolvConf: string;
  volumes: string;
  /** `plugin` in kubelet's escaped form: `kubernetes.io~empty-dir`. */
  volume(plugin: string, name: string): string;
  terminationLog(container: string, attempt: number): string;
}

export const podsFolder = (dataDir: string) => join(dataDir, 'pods');

export function podFiles(dataDir: string, uid: string): PodFiles {
  const root = join(podsFolder(dataDir), uid);
  return {
    root,
    hosts: join(root, 'etc-hosts'),
    resolvConf: join(root, 'resolv.conf'),
    volumes: join(root, 'volumes'),
    volume: (plugin, name) => join(root, 'volumes', plugin, name),
    terminationLog: (container, attempt) => join(root, 'containers', container, String(attempt)),
  };
}
