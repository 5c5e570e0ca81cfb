/** The names by which this machine's API server is called; they go into its certificate. */
import { hostname, networkInterfaces } from 'node:os';
import { DEFAULTS } from '../../../shared/defaults.ts';

/** Global addresses of this machine; link-local and loopback ones left out. */
export function hostAddresses(interfaces = networkInterfaces()): string[] {
  return Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter((each) => !each.internal && !each.address.startsWith('fe80:') && !each.address.startsWith('169.254.'))
    .map((each) => each.address);
}

/** As kubeadm's apiserver certificate, plus localhost. */
export function apiServerNames(listen: readonly string[], host = hostname(), addresses = hostAddresses()): string[] {
  const names = [
    'localhost',
    '127.0.0.1',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${DEFAULTS.clusterDomain}`,
    DEFAULTS.apiServiceIP,
    host,
    ...addresses,
    ...listen.filter((address) => address !== '0.0.0.0' && address !== '::'),
  ];
  return [...new Set(names)];
}
