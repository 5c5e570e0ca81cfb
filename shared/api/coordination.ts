/** `coordination.k8s.io/v1`. Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
import type { Identity, KubeObject } from './meta.ts';

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}
export const LEASES: Identity<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  resource: 'leases',
  kind: 'Lease',
  namespaced: true,
};
