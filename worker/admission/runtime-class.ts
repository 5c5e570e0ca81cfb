/**
 * A pod of a RuntimeClass bears the class's overhead and goes where the class can run.
 * Source: kubernetes, plugin/pkg/admission/runtimeclass
 */
import type { Pod } from '../../shared/api/core.ts';
import type { RuntimeClass } from '../../shared/api/node.ts';
import { forbidden } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { type AdmissionPlugin, isOf } from './plugin.ts';

type Amounts = Record<string, string>;

const sameAmounts = (left: Amounts, right: Amounts): boolean =>
  Object.keys(left).length === Object.keys(right).length &&
  Object.entries(left).every(([name, amount]) => {
    const other = right[name];
    return other !== undefined && compareQuantities(amount, other) === 0;
  });

export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  admit(admission) {
    const { operation, definition, name, reader } = admission;
    if (operation !== 'CREATE' || !isOf(admission, 'Pod')) return;
    const { spec } = admission.draft as Pod;
    const refuse = (why: string): never => {
      throw forbidden(definition.identity, name, why);
    };
    const className = spec.runtimeClassName ?? '';
    const found = reader.get('runtimeclasses.node.k8s.io', '', className) as RuntimeClass | undefined;
    if (className !== '' && found === undefined) {
      refuse(`pod rejected: RuntimeClass ${JSON.stringify(className)} not found`);
    }
    const fixed = found?.overhead?.podFixed;
    if (fixed === undefined) {
      if (spec.overhead !== undefined) {
        refuse('pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
      }
    } else if (spec.overhead === undefined) spec.overhead = { ...fixed };
    else if (!sameAmounts(spec.overhead, fixed)) {
      refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    }
    const { nodeSelector = {}, tolerations = [] } = found?.scheduling ?? {};
    for (const [key, value] of Object.entries(nodeSelector)) {
      const own = spec.nodeSelector?.[key];
      if (own !== undefined && own !== value) {
        refuse(
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
        );
      }
      spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
    }
    const known = new Set((spec.tolerations ?? []).map((each) => JSON.stringify(each)));
    const added = tolerations.filter((each) => !known.has(JSON.stringify(each)));
    if (added.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...structuredClone(added)];
  },
};
