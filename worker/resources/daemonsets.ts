/** `apps/v1 DaemonSet`. Which nodes get a pod is `controllers/daemonsets.ts`. Source: kubernetes, pkg/apis/apps validation and defaults. */
import { DAEMON_SETS, type DaemonSet } from '../../shared/api/apps.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { isZeroAmount, validateAmount } from './amounts.ts';
import { AGE, formatLabels, integer, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { templateColumns, validateCount, validateSelectorAndTemplate } from './workloads.ts';

const STRATEGIES = ['OnDelete', 'RollingUpdate'];

function applyDefaults({ spec }: Draft<DaemonSet>): void {
  if (spec === undefined) return;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  if (spec.template) defaultPodTemplate(spec.template);
}

function validateStrategy(strategy: DaemonSet['spec']['updateStrategy']): StatusCause[] {
  const { type, rollingUpdate } = strategy ?? {};
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate') return [notSupported('spec.updateStrategy', type ?? '', STRATEGIES)];
  const path = 'spec.updateStrategy.rollingUpdate';
  if (rollingUpdate === undefined) return [required(path)];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const causes = [
    ...validateAmount(maxUnavailable, `${path}.maxUnavailable`, true),
    ...validateAmount(maxSurge, `${path}.maxSurge`, true),
  ];
  const never = isZeroAmount(maxUnavailable);
  const surges = maxSurge !== undefined && !isZeroAmount(maxSurge);
  if (never && !surges) causes.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  if (!never && surges) {
    causes.push(invalidValue(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  }
  return causes;
}

export const DAEMON_SETS_DEFINITION: ResourceDefinition<DaemonSet> = {
  identity: DAEMON_SETS,
  singular: 'daemonset',
  listKind: 'DaemonSetList',
  shortNames: ['ds'],
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  generation: true,
  unconditionalUpdate: true,
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    };
  },
  validate: ({ spec }) => [
    ...validateSelectorAndTemplate(spec ?? {}, 'daemonset'),
    ...validateCount(spec?.minReadySeconds, 'spec.minReadySeconds'),
    ...validateStrategy(spec?.updateStrategy),
    ...validateCount(spec?.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
  ],
  validateUpdate: (draft, current) =>
    isSame(draft.spec.selector, current.spec.selector)
      ? []
      : [invalidValue('spec.selector', draft.spec.selector, 'field is immutable')],
  columns: [
    NAME,
    integer<DaemonSet>(
      'Desired',
      'The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/',
      ({ status }) => status?.desiredNumberScheduled ?? 0,
    ),
    integer<DaemonSet>(
      'Current',
      'The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod. More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/',
      ({ status }) => status?.currentNumberScheduled ?? 0,
    ),
    integer<DaemonSet>(
      'Ready',
      'numberReady is the number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.',
      ({ status }) => status?.numberReady ?? 0,
    ),
    integer<DaemonSet>(
      'Up-to-date',
      'The total number of nodes that are running updated daemon pod',
      ({ status }) => status?.updatedNumberScheduled ?? 0,
    ),
    integer<DaemonSet>(
      'Available',
      'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available (ready for at least spec.minReadySeconds)',
      ({ status }) => status?.numberAvailable ?? 0,
    ),
    text<DaemonSet>(
      'Node Selector',
      "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must match a node's labels for the pod to be scheduled on that node. More info: https://kubernetes.io/docs/concepts/configuration/assign-pod-node/",
      ({ spec }) => formatLabels(spec.template.spec.nodeSelector),
    ),
    AGE,
    ...templateColumns<DaemonSet>(),
  ],
};
