/**
 * A pod's priority number and preemption policy, from its PriorityClass or the default one; and no two default classes.
 * Source: kubernetes, plugin/pkg/admission/priority
 */
import type { Pod } from '../../shared/api/core.ts';
import { PRIORITY_CLASSES, type PriorityClass } from '../../shared/api/scheduling.ts';
import { forbidden } from '../../shared/errors.ts';
import { type Admission, type AdmissionPlugin, isOf } from './plugin.ts';

const RESOURCE = 'priorityclasses.scheduling.k8s.io';
const NO_CLASS = { value: 0, preemptionPolicy: 'PreemptLowerPriority' };

const defaultsOf = ({ reader }: Admission): PriorityClass[] =>
  reader.list(RESOURCE, { having: [{ index: 'default', value: 'true' }] }) as PriorityClass[];

function admitPod(admission: Admission): void {
  const { definition, name, reader } = admission;
  const { spec } = admission.draft as Pod;
  let found: Pick<PriorityClass, 'value' | 'preemptionPolicy'>;
  if (spec.priorityClassName) {
    const named = reader.get(RESOURCE, '', spec.priorityClassName) as PriorityClass | undefined;
    if (named === undefined) {
      throw forbidden(definition.identity, name, `no PriorityClass with name ${spec.priorityClassName} was found`);
    }
    found = named;
  } else {
    // Kubernetes: should there be several, the lowest counts.
    const [lowest] = defaultsOf(admission).toSorted((left, right) => (left.value ?? 0) - (right.value ?? 0));
    if (lowest !== undefined) spec.priorityClassName = lowest.metadata.name;
    found = lowest ?? NO_CLASS;
  }
  const { value = 0, preemptionPolicy = NO_CLASS.preemptionPolicy } = found;
  if (spec.priority !== undefined && spec.priority !== value) {
    const why = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
    throw forbidden(definition.identity, name, why);
  }
  spec.priority = value;
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemptionPolicy) {
    const why = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemptionPolicy} from the given PriorityClass name`;
    throw forbidden(definition.identity, name, why);
  }
  spec.preemptionPolicy = preemptionPolicy;
}

export const priority: AdmissionPlugin = {
  name: 'Priority',
  admit(admission) {
    if (admission.operation === 'CREATE' && isOf(admission, 'Pod')) admitPod(admission);
  },
  validate(admission) {
    const { operation, draft, name } = admission;
    if (operation === 'DELETE' || !isOf(admission, 'PriorityClass', PRIORITY_CLASSES.group)) return;
    if (!(draft as PriorityClass).globalDefault) return;
    const other = defaultsOf(admission).find((each) => each.metadata.name !== draft?.metadata.name);
    if (other === undefined) return;
    const why = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`;
    throw forbidden(PRIORITY_CLASSES, name, why);
  },
};
