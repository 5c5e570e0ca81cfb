/** `scheduling.k8s.io`: which pods go before others. */
import type { Identity, KubeObject } from './meta.ts';

export interface PriorityClass extends KubeObject {
  value?: number;
  globalDefault?: boolean;
  description?: string;
  preemptionPolicy?: string;
}
export const PRIORITY_CLASSES: Identity<PriorityClass> = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  resource: 'priorityclasses',
  kind: 'PriorityClass',
  namespaced: false,
};

/** Classes that the cluster itself relies on; name → value. Nobody may define others with this prefix. */
export const SYSTEM_PRIORITY_PREFIX = 'system-';
export const SYSTEM_PRIORITIES: Record<string, number> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};
/** The highest value that users may give. */
export const HIGHEST_USER_PRIORITY = 1_000_000_000;
