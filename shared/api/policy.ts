/** `policy/v1`: disruption budgets and evictions. Source: https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/ */
import type { Condition, DeleteOptions, Identity, IntOrString, KubeObject, LabelSelector } from './meta.ts';

export interface PodDisruptionBudget extends KubeObject {
  spec: {
    minAvailable?: IntOrString;
    maxUnavailable?: IntOrString;
    /** `{}` selects every pod of the namespace, no selector none. */
    selector?: LabelSelector;
    unhealthyPodEvictionPolicy?: 'IfHealthyBudget' | 'AlwaysAllow';
  };
  status?: {
    observedGeneration?: number;
    /** Pods whose eviction was granted, and when; until they are seen to go. */
    disruptedPods?: Record<string, string>;
    disruptionsAllowed: number;
    currentHealthy: number;
    desiredHealthy: number;
    expectedPods: number;
    conditions?: Condition[];
  };
}
export const POD_DISRUPTION_BUDGETS: Identity<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  resource: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

/** Never stored: what POST pods/NAME/eviction carries. */
export interface Eviction {
  metadata?: { name?: string; namespace?: string };
  deleteOptions?: DeleteOptions;
}
