/** `flowcontrol.apiserver.k8s.io`: whose requests go first when the API is busy. */
import type { Condition, Identity, KubeObject } from './meta.ts';

export interface FlowSubject {
  kind: string;
  user?: { name: string };
  group?: { name: string };
  serviceAccount?: { namespace: string; name: string };
}

export interface FlowRules {
  subjects?: FlowSubject[];
  resourceRules?: {
    verbs?: string[];
    apiGroups?: string[];
    resources?: string[];
    clusterScope?: boolean;
    namespaces?: string[];
  }[];
  nonResourceRules?: { verbs?: string[]; nonResourceURLs?: string[] }[];
}

export interface FlowSchema extends KubeObject {
  spec: {
    priorityLevelConfiguration: { name: string };
    matchingPrecedence?: number;
    distinguisherMethod?: { type: string };
    rules?: FlowRules[];
  };
  status?: { conditions?: Condition[] };
}
export const FLOW_SCHEMAS: Identity<FlowSchema> = {
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  resource: 'flowschemas',
  kind: 'FlowSchema',
  namespaced: false,
};

export interface LimitResponse {
  type: string;
  queuing?: { queues?: number; handSize?: number; queueLengthLimit?: number };
}

export interface PriorityLevelConfiguration extends KubeObject {
  spec: {
    type: string;
    limited?: {
      nominalConcurrencyShares?: number;
      lendablePercent?: number;
      borrowingLimitPercent?: number;
      limitResponse?: LimitResponse;
    };
    exempt?: { nominalConcurrencyShares?: number; lendablePercent?: number };
  };
  status?: { conditions?: Condition[] };
}
export const PRIORITY_LEVEL_CONFIGURATIONS: Identity<PriorityLevelConfiguration> = {
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  resource: 'prioritylevelconfigurations',
  kind: 'PriorityLevelConfiguration',
  namespaced: false,
};
