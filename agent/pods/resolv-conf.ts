/**
 * A pod's /etc/resolv.conf by its dnsPolicy. Pure.
 * Source: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
 */
import type { Pod } from '../../shared/api/core.ts';

export interface ResolvConf {
  nameservers: string[];
  searches: string[];
  options: string[];
}

const MOST_NAMESERVERS = 3;
const MOST_SEARCHES = 32;

export function parseResolvConf(text: string): ResolvConf {
  const result: ResolvConf = { nameservers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) result.nameservers.push(values[0]);
    // The last search line counts; `domain` is an old spelling of one.
    else if (keyword === 'search' || keyword === 'domain') result.searches = values;
    else if (keyword === 'options') result.options = values;
  }
  return result;
}

export function formatResolvConf({ nameservers, searches, options }: ResolvConf): string {
  return [
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}\n`]),
    ...nameservers.map((each) => `nameserver ${each}\n`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}\n`]),
  ].join('');
}

/** `cluster` undefined: not known yet; such pods get what policy Default gives (`fellBack` says so). */
export function resolvConfOf(
  pod: Pod,
  host: ResolvConf,
  cluster: { domain: string; dnsIP: string } | undefined,
): ResolvConf & { fellBack: boolean } {
  const { hostNetwork, dnsPolicy = 'ClusterFirst', dnsConfig } = pod.spec;
  const wantsCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true);
  const base = baseOf(pod, host, wantsCluster ? cluster : undefined);
  const options = new Map(
    [...base.options, ...(dnsConfig?.options ?? []).map(optionText)].map((each) => [each.split(':')[0], each]),
  );
  return {
    nameservers: unique([...base.nameservers, ...(dnsConfig?.nameservers ?? [])]).slice(0, MOST_NAMESERVERS),
    searches: unique([...base.searches, ...(dnsConfig?.searches ?? [])]).slice(0, MOST_SEARCHES),
    options: [...options.values()],
    fellBack: wantsCluster && cluster === undefined,
  };
}

function baseOf(pod: Pod, host: ResolvConf, cluster: { domain: string; dnsIP: string } | undefined): ResolvConf {
  if (pod.spec.dnsPolicy === 'None') return { nameservers: [], searches: [], options: [] };
  if (cluster === undefined) return host;
  const { domain, dnsIP } = cluster;
  return {
    nameservers: [dnsIP],
    searches: [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches],
    options: ['ndots:5'],
  };
}

const optionText = ({ name = '', value }: { name?: string; value?: string }) =>
  value === undefined || value === '' ? name : `${name}:${value}`;

const unique = (values: string[]) => [...new Set(values)];
