/**
 * `pods/NAME/resize`: cpu and memory of a pod's containers change while it runs.
 * Source: kubernetes, ValidatePodResize; KEP-1287, https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
 */
import type { Container, Pod, ResourceRequirements } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue } from '../../shared/errors.ts';
import { isSidecar, qosClassOf } from '../../shared/pods.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { isSame } from './data-validation.ts';
import type { JsonObject, PartRules } from './definition.ts';

const LISTS = ['containers', 'initContainers'] as const;

const sameNames = (after: readonly Container[] | undefined, before: readonly Container[] | undefined): boolean =>
  isSame(after?.map(({ name }) => name) ?? [], before?.map(({ name }) => name) ?? []);

const resized = (after: readonly Container[] | undefined, before: readonly Container[] | undefined) =>
  before?.map((container, index): Container => {
    const { resources: _, resizePolicy: __, ...rest } = container;
    const { resources = {}, resizePolicy } = after?.[index] ?? {};
    return { ...rest, resources, ...(resizePolicy === undefined ? {} : { resizePolicy }) };
  });

/** The stored pod with the resources of `incoming`. Containers that came or went are kept, for validation to refuse. */
function withResources({ spec }: Draft<Pod>, stored: Pod): Pod {
  const wanted = { ...stored.spec };
  for (const list of LISTS) {
    const same = sameNames(spec[list], stored.spec[list]);
    const composed = same ? resized(spec[list], stored.spec[list]) : (spec[list] ?? []);
    if (composed !== undefined) wanted[list] = composed;
  }
  return { ...stored, spec: wanted } as Pod;
}

function validateNames(draft: Pod, current: Pod): StatusCause[] {
  return LISTS.flatMap((list) => {
    const [after, before] = [draft.spec[list] ?? [], current.spec[list] ?? []];
    if (after.length !== before.length) {
      return [forbiddenField(`spec.${list}`, `${list} may not be added or removed on resize`)];
    }
    return after.flatMap(({ name }, index) =>
      name === before[index]?.name
        ? []
        : [forbiddenField(`spec.${list}[${index}].name`, `${list} may not be renamed or reordered on resize`)],
    );
  });
}

const isRemoved = (after: Record<string, string> | undefined, before: Record<string, string> | undefined): boolean =>
  Object.keys(before ?? {}).some((name) => after?.[name] === undefined);

function validateRemoval(after: Container | undefined, before: Container, path: string): StatusCause[] {
  return (['requests', 'limits'] as const).flatMap((list) =>
    isRemoved(after?.resources?.[list], before.resources?.[list])
      ? [forbiddenField(`${path}.resources.${list}`, `resource ${list} cannot be removed`)]
      : [],
  );
}

/** Kubernetes: amounts are the same that are worth the same, and an empty list is none. */
function sameAmounts(after: Record<string, string> = {}, before: Record<string, string> = {}): boolean {
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...names].every((name) => {
    const [left, right] = [after[name], before[name]];
    return left !== undefined && right !== undefined && compareQuantities(left, right) === 0;
  });
}

const withoutResizable = (amounts: Record<string, string> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => name !== 'cpu' && name !== 'memory'));

/** @param ofResources what of the amounts has to be as before. */
function sameOtherwise(
  after: Container,
  before: Container,
  ofResources: (amounts: Record<string, string> | undefined) => Record<string, string> | undefined,
): boolean {
  const amounts = ({ resources }: Container): ResourceRequirements => resources ?? {};
  const rest = ({ resources, ...container }: Container) => {
    const { requests: _, limits: __, ...others } = (resources ?? {}) as ResourceRequirements;
    return { ...container, others };
  };
  return (
    isSame(rest(after), rest(before)) &&
    (['requests', 'limits'] as const).every((list) =>
      sameAmounts(ofResources(amounts(after)[list]), ofResources(amounts(before)[list])),
    )
  );
}

function validateRest(draft: Pod, current: Pod): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [index, before] of current.spec.containers.entries()) {
    const after = draft.spec.containers[index];
    if (after !== undefined && sameOtherwise(after, before, withoutResizable)) continue;
    causes.push(forbiddenField('spec', 'only cpu and memory resources are mutable'));
  }
  for (const [index, before] of (current.spec.initContainers ?? []).entries()) {
    const after = draft.spec.initContainers?.[index];
    const sidecar = isSidecar(before);
    if (after !== undefined && sameOtherwise(after, before, sidecar ? withoutResizable : (all) => all)) continue;
    const why = sidecar
      ? 'only cpu and memory resources for sidecar containers are mutable'
      : 'resources for non-sidecar init containers are immutable';
    causes.push(forbiddenField('spec', why));
  }
  return causes;
}

/** Kubernetes: a node that does not say what containers have is one that cannot resize them. */
const isSupported = ({ status }: Pod): boolean => {
  const running = status?.containerStatuses?.find((each) => each.state.running !== undefined);
  return running === undefined || running.resources !== undefined;
};

function validateResize(draft: Pod, current: Pod): StatusCause[] {
  if (current.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
    return [forbiddenField('', 'static pods cannot be resized')];
  }
  const { resources: podLevel } = current.spec as { resources?: ResourceRequirements };
  if (Object.keys({ ...podLevel?.requests, ...podLevel?.limits }).length > 0) {
    return [forbiddenField('', 'pods with pod-level resources cannot be resized')];
  }
  const misnamed = validateNames(draft, current);
  if (misnamed.length > 0) return misnamed;
  const causes: StatusCause[] = [];
  const before = current.status?.qosClass ?? qosClassOf(current.spec);
  if (before !== qosClassOf(draft.spec)) {
    causes.push(invalidValue('spec', before, 'Pod QOS Class may not change as a result of resizing'));
  }
  if (!isSupported(current)) causes.push(forbiddenField('spec', 'Pod running on node without support for resize'));
  for (const [index, container] of (current.spec.initContainers ?? []).entries()) {
    if (!isSidecar(container)) continue;
    causes.push(...validateRemoval(draft.spec.initContainers?.[index], container, `spec.initContainers[${index}]`));
  }
  for (const [index, container] of current.spec.containers.entries()) {
    causes.push(...validateRemoval(draft.spec.containers[index], container, `spec.containers[${index}]`));
  }
  return [...causes, ...validateRest(draft, current)];
}

/** The name says which container is meant; nothing else of one is this path's. */
function pickResources(spec: JsonObject): JsonObject {
  const picked = LISTS.map((list) => [list, spec[list]] as const).filter(([, containers]) => Array.isArray(containers));
  return Object.fromEntries(
    picked.map(([list, containers]) => [
      list,
      (containers as Container[]).map(({ name, resources, resizePolicy }) => ({
        name,
        ...(resources === undefined ? {} : { resources }),
        ...(resizePolicy === undefined ? {} : { resizePolicy }),
      })),
    ]),
  );
}

export const RESIZE: PartRules<Pod> = { pick: pickResources, compose: withResources, validate: validateResize };
