/** A pod's priority number: 0, or what the two built-in classes stand for. PriorityClass objects are not served yet. */
import type { Pod } from '../../shared/api/core.ts';
import { forbidden } from '../../shared/errors.ts';
import type { AdmissionPlugin } from './plugin.ts';

const BUILT_IN: Record<string, number> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

export const priority: AdmissionPlugin = {
  name: 'Priority',
  admit({ operation, definition, subresource, draft, name }) {
    const { group, kind } = definition.identity;
    if (operation !== 'CREATE' || group !== '' || kind !== 'Pod' || subresource !== '' || draft === undefined) return;
    const pod = draft as Pod & { spec: { preemptionPolicy?: string } };
    const className = pod.spec.priorityClassName ?? '';
    const value = className === '' ? 0 : Object.hasOwn(BUILT_IN, className) ? BUILT_IN[className] : undefined;
    if (value === undefined) {
      throw forbidden(definition.identity, name, `no PriorityClass with name ${className} was found`);
    }
    if (pod.spec.priority !== undefined && pod.spec.priority !== value) {
      const why = `the integer value of priority (${pod.spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
      throw forbidden(definition.identity, name, why);
    }
    pod.spec.priority = value;
    pod.spec.preemptionPolicy ??= 'PreemptLowerPriority';
  },
};
