/**
 * `metrics.k8s.io/v1beta1 NodeMetrics` and `PodMetrics`: what is used now. Read-only, never stored: the minions are asked
 * (`http/usage.ts`); here is only what discovery and OpenAPI say of them.
 */

import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import type { Identity } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from './definition.ts';

const inGroup = (resource: string, kind: string, namespaced: boolean): Identity => ({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  resource,
  kind,
  namespaced,
});
export const NODE_METRICS = inGroup('nodes', 'NodeMetrics', false);
export const POD_METRICS = inGroup('pods', 'PodMetrics', true);

const USAGE: StructuralSchema = {
  type: 'object',
  additionalProperties: { 'x-kubernetes-int-or-string': true },
};
const MEASURED: Record<string, StructuralSchema> = {
  timestamp: { type: 'string', format: 'date-time' },
  window: { type: 'string' },
};

function definitionOf(identity: Identity, properties: Record<string, StructuralSchema>): ResourceDefinition {
  return {
    identity,
    singular: '',
    listKind: `${identity.kind}List`,
    verbs: ['get', 'list'],
    subresources: [],
    schema: '',
    structural: { type: 'object', properties: { ...MEASURED, ...properties } },
    virtual: true,
    generation: false,
    unconditionalUpdate: false,
    columns: [],
  };
}

export const USAGE_METRICS: readonly ResourceDefinition[] = [
  definitionOf(NODE_METRICS, { usage: USAGE }),
  definitionOf(POD_METRICS, {
    containers: {
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string' }, usage: USAGE } },
    },
  }),
];
