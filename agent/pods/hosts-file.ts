/** A pod's /etc/hosts and host name. Pure. */
import type { Pod } from '../../shared/api/core.ts';

/** The kernel's limit. */
const LONGEST_HOSTNAME = 63;

export function hostnameOf(pod: Pod): string {
  return (pod.spec.hostname ?? pod.metadata.name).slice(0, LONGEST_HOSTNAME).replace(/[-.]+$/, '');
}

/** `hostsOfNode` is given for pods on the host's network; `ip` is undefined until the pod has one. */
export function hostsFileOf(
  pod: Pod,
  given: { ip?: string; hostsOfNode?: string; domain: string | undefined },
): string {
  const aliases = aliasLines(pod);
  if (given.hostsOfNode !== undefined)
    return `# Kubernetes-managed hosts file (host network).\n${given.hostsOfNode.trimEnd()}\n${aliases}`;
  const hostname = hostnameOf(pod);
  const { subdomain } = pod.spec;
  const names =
    subdomain !== undefined && subdomain !== '' && given.domain !== undefined
      ? `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${given.domain}\t${hostname}`
      : hostname;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...(given.ip === undefined ? [] : [`${given.ip}\t${names}`]),
  ];
  return `${lines.join('\n')}\n${aliases}`;
}

function aliasLines(pod: Pod): string {
  const aliases = pod.spec.hostAliases ?? [];
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames }) => [ip, ...(hostnames ?? [])].join('\t'));
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}
