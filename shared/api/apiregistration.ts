/** `apiregistration.k8s.io`: which server answers for which group version. */
import type { Condition, Identity, KubeObject } from './meta.ts';

export interface APIService extends KubeObject {
  spec: {
    service?: { namespace?: string; name?: string; port?: number };
    group?: string;
    version?: string;
    insecureSkipTLSVerify?: boolean;
    caBundle?: string;
    groupPriorityMinimum: number;
    versionPriority: number;
  };
  status?: { conditions?: Condition[] };
}
export const API_SERVICES: Identity<APIService> = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  resource: 'apiservices',
  kind: 'APIService',
  namespaced: false,
};
/** On what the control plane keeps by itself: `onstart` for what it always serves, `true` for custom resources'. */
export const AUTOMANAGED_LABEL = 'kube-aggregator.kubernetes.io/automanaged';
