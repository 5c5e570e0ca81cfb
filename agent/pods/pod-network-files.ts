/** The files that the kubelet gives every container: /etc/hosts, /etc/resolv.conf and the termination log. */
import { access, chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Container, Pod } from '../../shared/api/core.ts';
import type { Mount } from '../runtime/runtime.ts';
import type { PodEvents } from './events.ts';
import { hostsFileOf } from './hosts-file.ts';
import type { PodFiles } from './pod-files.ts';
import { formatResolvConf, parseResolvConf, type ResolvConf, resolvConfOf } from './resolv-conf.ts';

const RESOLV_CONF = '/etc/resolv.conf';
/** Where systemd-resolved keeps the real servers: its own address means nothing inside a pod. */
const RESOLVED_RESOLV_CONF = '/run/systemd/resolve/resolv.conf';

export async function makeNetworkFiles(
  pod: Pod,
  files: PodFiles,
  cluster: { domain: string; dnsIP: string } | undefined,
  ip: string | undefined,
  events: PodEvents,
): Promise<void> {
  await mkdir(files.root, { recursive: true, mode: 0o750 });
  const { fellBack, ...resolvConf } = resolvConfOf(pod, await resolvConfOfNode(), cluster);
  if (fellBack) {
    const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
    events.warning(
      'MissingClusterDNS',
      `pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})". kubelet does not have ClusterDNS IP configured and cannot create Pod using "${policy}" policy. Falling back to "Default" policy.`,
    );
  }
  await writeInPlace(files.resolvConf, formatResolvConf(resolvConf));
  // Once the pod has its address, whoever connected it has written the file.
  if (!(await exists(files.hosts))) await writeHosts(pod, files, ip, cluster?.domain);
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

export async function writeHosts(
  pod: Pod,
  files: PodFiles,
  ip: string | undefined,
  domain: string | undefined,
): Promise<void> {
  const hostsOfNode = pod.spec.hostNetwork === true ? await readFile('/etc/hosts', 'utf8') : undefined;
  await writeInPlace(files.hosts, hostsFileOf(pod, { ip, hostsOfNode, domain }));
}

/** Containers have the file itself mounted: another file under its name would not reach them. */
async function writeInPlace(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o644);
}

async function resolvConfOfNode(): Promise<ResolvConf> {
  const own = parseResolvConf(await readIfThere(RESOLV_CONF));
  if (!own.nameservers.every((each) => each.startsWith('127.'))) return own;
  const resolved = parseResolvConf(await readIfThere(RESOLVED_RESOLV_CONF));
  return resolved.nameservers.length > 0 ? resolved : own;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Kubernetes: a volume that a container mounts there itself wins. */
export function networkMounts(container: Container, files: PodFiles): Mount[] {
  const own = (path: string) => (container.volumeMounts ?? []).some((each) => each.mountPath === path);
  const mounts = [
    { hostPath: files.hosts, containerPath: '/etc/hosts', readOnly: false },
    { hostPath: files.resolvConf, containerPath: RESOLV_CONF, readOnly: false },
  ];
  return mounts.filter((mount) => !own(mount.containerPath));
}

const DEFAULT_TERMINATION_PATH = '/dev/termination-log';

/** An empty file for each attempt; what the container writes into it is its termination message. */
export async function makeTerminationLog(container: Container, files: PodFiles, attempt: number): Promise<Mount[]> {
  const hostPath = files.terminationLog(container.name, attempt);
  await mkdir(dirname(hostPath), { recursive: true, mode: 0o755 });
  await (await open(hostPath, 'w', 0o666)).close();
  await chmod(hostPath, 0o666);
  return [{ hostPath, containerPath: container.terminationMessagePath ?? DEFAULT_TERMINATION_PATH, readOnly: false }];
}
