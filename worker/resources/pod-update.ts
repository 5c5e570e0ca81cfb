/** What may still change in a pod that exists. Source: kubernetes, ValidatePodUpdate. */
import type { Container, Pod, PodSpec, Toleration } from '../../shared/api/core.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, required } from '../../shared/errors.ts';
import { isSame } from './data-validation.ts';

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

type Gated = PodSpec & { schedulingGates?: { name: string }[] };

/** Paths where two values differ, for the message; at the first level that shows the difference. */
export function differences(before: unknown, after: unknown, path: string): string[] {
  if (isSame(before, after)) return [];
  const plain = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  if (!plain(before) || !plain(after) || Array.isArray(before) !== Array.isArray(after)) {
    return [`- ${path}: ${JSON.stringify(before) ?? 'unset'}\n+ ${path}: ${JSON.stringify(after) ?? 'unset'}`];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], Array.isArray(before) ? `${path}[${key}]` : `${path}.${key}`),
  );
}

function validateTolerations(after: readonly Toleration[], before: readonly Toleration[]): StatusCause[] {
  const same = (left: Toleration, right: Toleration): boolean =>
    isSame({ ...left, tolerationSeconds: null }, { ...right, tolerationSeconds: null });
  return before.every((old) => after.some((each) => same(old, each)))
    ? []
    : [forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

function validateDeadline(after: number | undefined, before: number | undefined): StatusCause[] {
  const path = 'spec.activeDeadlineSeconds';
  if (before === undefined) return [];
  if (after === undefined) return [invalidValue(path, null, 'must not update from a positive integer to nil value')];
  return after > before ? [invalidValue(path, after, 'must be less than or equal to previous value')] : [];
}

const withImages = (after: Container[] | undefined, before: Container[] | undefined): Container[] | undefined =>
  after?.map((container, index) => ({ ...container, image: before?.[index]?.image }) as Container);

function validateGates(after: Gated, before: Gated): StatusCause[] {
  const known = new Set((before.schedulingGates ?? []).map((gate) => gate.name));
  return (after.schedulingGates ?? [])
    .map((gate, index) => ({ gate, index }))
    .filter(({ gate }) => !known.has(gate.name))
    .map(({ gate, index }) =>
      forbiddenField(
        `spec.schedulingGates[${index}].name`,
        `only deletion is allowed, but found new scheduling gate '${gate.name}'`,
      ),
    );
}

export function validatePodUpdate(draft: Pod, current: Pod): StatusCause[] {
  const after = draft.spec as Gated;
  const before = current.spec as Gated;
  for (const list of ['containers', 'initContainers'] as const) {
    if ((after[list]?.length ?? 0) !== (before[list]?.length ?? 0)) {
      return [forbiddenField(`spec.${list}`, 'pod updates may not add or remove containers')];
    }
  }
  const causes: StatusCause[] = [];
  for (const list of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (after[list] ?? []).entries()) {
      if (!container.image) causes.push(required(`spec.${list}[${index}].image`));
    }
  }
  causes.push(...validateDeadline(after.activeDeadlineSeconds, before.activeDeadlineSeconds));
  causes.push(...validateTolerations(after.tolerations ?? [], before.tolerations ?? []));
  causes.push(...validateGates(after, before));
  const gated = (before.schedulingGates ?? []).length > 0;
  const munged: Gated = {
    ...after,
    containers: withImages(after.containers, before.containers) ?? [],
    initContainers: withImages(after.initContainers, before.initContainers),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    tolerations: before.tolerations,
    schedulingGates: before.schedulingGates,
    // Kubernetes: where a gated pod may run can still be narrowed.
    ...(gated ? { nodeSelector: before.nodeSelector, affinity: before.affinity } : {}),
    ...((before.terminationGracePeriodSeconds ?? 0) < 0 && after.terminationGracePeriodSeconds === 1
      ? { terminationGracePeriodSeconds: before.terminationGracePeriodSeconds }
      : {}),
  };
  const changed = differences(before, munged, 'spec');
  if (changed.length > 0) {
    const why = `pod updates may not change fields other than ${UPDATABLE}\n${changed.join('\n')}`;
    causes.push(forbiddenField('spec', why));
  }
  return causes;
}
