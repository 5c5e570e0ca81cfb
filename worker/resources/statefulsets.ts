/** `apps/v1 StatefulSet`. Order, names and updates are `controllers/statefulsets.ts`. Source: kubernetes, pkg/apis/apps validation and defaults. */
import { STATEFUL_SETS, type StatefulSet } from '../../shared/api/apps.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatLabelSelector } from '../../shared/selectors.ts';
import { isZeroAmount, validateAmount } from './amounts.ts';
import { AGE, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { templateColumns, validateCount, validateSelectorAndTemplate } from './workloads.ts';

const RETENTION = ['Delete', 'Retain'];
const UPDATABLE =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

function applyDefaults({ spec }: Draft<StatefulSet>): void {
  if (spec === undefined) return;
  spec.podManagementPolicy ??= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  if (spec.template) defaultPodTemplate(spec.template);
}

function validateStrategy({ podManagementPolicy, updateStrategy }: Partial<StatefulSet['spec']>): StatusCause[] {
  const causes: StatusCause[] = [];
  if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel') {
    causes.push(
      podManagementPolicy
        ? invalidValue('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'")
        : required('spec.podManagementPolicy'),
    );
  }
  const { type, rollingUpdate } = updateStrategy ?? {};
  if (!type) return [...causes, required('spec.updateStrategy')];
  if (type === 'OnDelete') {
    const why = "only allowed for updateStrategy 'RollingUpdate'";
    if (rollingUpdate !== undefined) causes.push(invalidValue('spec.updateStrategy.rollingUpdate', rollingUpdate, why));
    return causes;
  }
  if (type !== 'RollingUpdate') {
    return [...causes, invalidValue('spec.updateStrategy', updateStrategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
  const path = 'spec.updateStrategy.rollingUpdate';
  causes.push(...validateCount(rollingUpdate?.partition, `${path}.partition`));
  causes.push(...validateAmount(rollingUpdate?.maxUnavailable, `${path}.maxUnavailable`, true));
  if (isZeroAmount(rollingUpdate?.maxUnavailable)) {
    causes.push(invalidValue(`${path}.maxUnavailable`, rollingUpdate?.maxUnavailable, 'cannot be 0'));
  }
  return causes;
}

function validateRetention(policy: StatefulSet['spec']['persistentVolumeClaimRetentionPolicy']): StatusCause[] {
  return (['whenDeleted', 'whenScaled'] as const).flatMap((when) => {
    const value = policy?.[when];
    const path = `spec.persistentVolumeClaimRetentionPolicy.${when}`;
    return value === undefined || RETENTION.includes(value) ? [] : [notSupported(path, value, RETENTION)];
  });
}

function validate(draft: Draft<StatefulSet>): StatusCause[] {
  const spec: Partial<StatefulSet['spec']> = draft.spec ?? {};
  return [
    ...validateStrategy(spec),
    ...validateRetention(spec.persistentVolumeClaimRetentionPolicy),
    ...validateCount(spec.replicas, 'spec.replicas'),
    ...validateCount(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...validateCount(spec.ordinals?.start, 'spec.ordinals.start'),
    ...validateCount(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...validateSelectorAndTemplate(spec, 'statefulset'),
  ];
}

/** What stays as it was for good. */
function fixedPart(spec: StatefulSet['spec']): unknown {
  const { replicas: _r, ordinals: _o, template: _t, updateStrategy: _u, minReadySeconds: _m, ...rest } = spec;
  const { persistentVolumeClaimRetentionPolicy: _p, revisionHistoryLimit: _h, ...fixed } = rest;
  return fixed;
}

const COUNTS = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const;

function validateStatus({ status }: StatefulSet): StatusCause[] {
  const replicas = status?.replicas ?? 0;
  return [
    ...validateCount(replicas, 'status.replicas'),
    ...COUNTS.flatMap((count) => {
      const path = `status.${count}`;
      const value = status?.[count];
      if (value !== undefined && value > replicas) {
        return [invalidValue(path, value, 'cannot be greater than status.replicas')];
      }
      return validateCount(value, path);
    }),
  ];
}

export const STATEFUL_SETS_DEFINITION: ResourceDefinition<StatefulSet> = {
  identity: STATEFUL_SETS,
  singular: 'statefulset',
  listKind: 'StatefulSetList',
  shortNames: ['sts'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['scale', 'status'],
  schema: 'io.k8s.api.apps.v1.StatefulSet',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = { replicas: 0, availableReplicas: 0 };
  },
  validate,
  validateUpdate: (draft, current) =>
    isSame(fixedPart(draft.spec), fixedPart(current.spec)) ? [] : [forbiddenField('spec', UPDATABLE)],
  validateStatus,
  columns: [
    NAME,
    text<StatefulSet>(
      'Ready',
      'Number of the pod with ready state',
      ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    ),
    AGE,
    ...templateColumns<StatefulSet>().filter((column) => column.name !== 'Selector'),
  ],
  scale: {
    specReplicas: '.spec.replicas',
    statusReplicas: '.status.replicas',
    selector: (object) => formatLabelSelector(object.spec.selector),
  },
};
