/**
 * Addresses and names that both ends must agree on; the same as kubeadm's and flannel's, so that nothing surprises. The pod
 * network begins where theirs does and is four times as wide, so that it has a share for each of a thousand minions.
 */
export const DEFAULTS = {
  clusterName: 'default',
  clusterDomain: 'cluster.local',
  podCIDR: '10.244.0.0/14',
  /** Prefix length of each node's share of the pod network. */
  nodePrefix: 24,
  serviceCIDR: '10.96.0.0/12',
  dnsIP: '10.96.0.10',
  apiServiceIP: '10.96.0.1',
  nodePorts: { first: 30000, last: 32767 },
  vxlan: { id: 1, port: 8472 },
} as const;

/** What /version and the kubelet report: the Kubernetes API that the schemas are of. */
export const KUBERNETES_VERSION = { major: '1', minor: '36', gitVersion: 'v1.36.0+longshore' } as const;
export const LONGSHORE_VERSION = '0.1.0';
