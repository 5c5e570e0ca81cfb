/**
 * `v1 ComponentStatus`: the parts of the control plane, as they are when asked. Read-only and never stored; deprecated
 * upstream, and still what some dashboards ask for. Who answers is `http/component-statuses.ts`.
 */
import { COMPONENT_STATUSES, type ComponentStatus } from '../../shared/api/core.ts';
import { NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';

const healthyOf = ({ conditions }: ComponentStatus) => conditions?.find((each) => each.type === 'Healthy');

export const COMPONENT_STATUSES_DEFINITION: ResourceDefinition<ComponentStatus> = {
  identity: COMPONENT_STATUSES,
  singular: 'componentstatus',
  listKind: 'ComponentStatusList',
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  subresources: [],
  schema: 'io.k8s.api.core.v1.ComponentStatus',
  virtual: true,
  generation: false,
  unconditionalUpdate: false,
  columns: [
    NAME,
    text<ComponentStatus>('Status', 'Status of the component conditions', (each) => {
      const status = healthyOf(each)?.status;
      return status === 'True' ? 'Healthy' : status === 'False' ? 'Unhealthy' : 'Unknown';
    }),
    text<ComponentStatus>('Message', 'Message of the component conditions', (each) => healthyOf(each)?.message ?? ''),
    text<ComponentStatus>('Error', 'Error of the component conditions', (each) => healthyOf(each)?.error ?? ''),
  ],
};
