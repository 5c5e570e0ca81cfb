/** `scheduling.k8s.io/v1 PriorityClass`. Source: kubernetes, pkg/apis/scheduling/validation. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import {
  HIGHEST_USER_PRIORITY,
  PRIORITY_CLASSES,
  type PriorityClass,
  SYSTEM_PRIORITIES,
  SYSTEM_PRIORITY_PREFIX,
} from '../../shared/api/scheduling.ts';
import { forbiddenField, invalidValue, notSupported } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';

const POLICIES = ['Never', 'PreemptLowerPriority'];

function validate(draft: Draft<PriorityClass>): StatusCause[] {
  const causes: StatusCause[] = [];
  const name = draft.metadata.name ?? '';
  const value = draft.value ?? 0;
  if (name.startsWith(SYSTEM_PRIORITY_PREFIX)) {
    const known = Object.hasOwn(SYSTEM_PRIORITIES, name) ? SYSTEM_PRIORITIES[name] : undefined;
    const why =
      known === undefined
        ? `priority class names with '${SYSTEM_PRIORITY_PREFIX}' prefix are reserved for system use only. error: ${name} is not a known system priority class`
        : value === known && !draft.globalDefault
          ? undefined
          : `priority class names with '${SYSTEM_PRIORITY_PREFIX}' prefix are reserved for system use only. error: value of ${name} PriorityClass must be ${known}`;
    if (why !== undefined) causes.push(forbiddenField('metadata.name', why));
  } else if (value > HIGHEST_USER_PRIORITY) {
    const why = `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`;
    causes.push(forbiddenField('value', why));
  }
  const policy = draft.preemptionPolicy ?? '';
  if (!POLICIES.includes(policy)) causes.push(notSupported('preemptionPolicy', policy, POLICIES.toReversed()));
  return causes;
}

function validateUpdate(draft: PriorityClass, current: PriorityClass): StatusCause[] {
  const causes: StatusCause[] = [];
  if ((draft.value ?? 0) !== (current.value ?? 0)) {
    causes.push(forbiddenField('value', 'may not be changed in an update.'));
  }
  if (draft.preemptionPolicy !== current.preemptionPolicy) {
    causes.push(invalidValue('preemptionPolicy', draft.preemptionPolicy ?? null, 'field is immutable'));
  }
  return causes;
}

export const PRIORITY_CLASSES_DEFINITION: ResourceDefinition<PriorityClass> = {
  identity: PRIORITY_CLASSES,
  singular: 'priorityclass',
  listKind: 'PriorityClassList',
  shortNames: ['pc'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    draft.value ??= 0;
    draft.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate,
  validateUpdate,
  entries: ({ globalDefault }) => (globalDefault ? [{ index: 'default', value: 'true' }] : []),
  columns: [
    NAME,
    {
      name: 'Value',
      type: 'integer',
      description:
        'value represents the integer value of this priority class. This is the actual priority that pods receive when they have the name of this class in their pod spec.',
      priority: 0,
      value: ({ value }) => value ?? 0,
    },
    {
      name: 'Global-Default',
      type: 'boolean',
      description:
        'globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do not have any priority class. Only one PriorityClass can be marked as `globalDefault`. However, if more than one PriorityClasses exists with their `globalDefault` field set to true, the smallest value of such global default PriorityClasses will be used as the default priority.',
      priority: 0,
      value: ({ globalDefault }) => globalDefault ?? false,
    },
    AGE,
    text<PriorityClass>(
      'PreemptionPolicy',
      'preemptionPolicy is the Policy for preempting pods with lower priority. One of Never, PreemptLowerPriority. Defaults to PreemptLowerPriority if unset.',
      ({ preemptionPolicy }) => preemptionPolicy ?? '',
    ),
  ],
};
