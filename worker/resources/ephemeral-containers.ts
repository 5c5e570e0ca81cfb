/**
 * `pods/NAME/ephemeralcontainers`: containers that join a pod while it runs. What such a container may say, and that the
 * list only grows. Source: kubernetes, validateEphemeralContainers, ValidatePodEphemeralContainersUpdate;
 * https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/
 */
import type { EphemeralContainer, Pod, PodSpec } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, notFoundValue } from '../../shared/errors.ts';
import { validateContainer } from './container-validation.ts';
import { isSame } from './data-validation.ts';
import type { PartRules } from './definition.ts';
import { differences } from './pod-update.ts';

const PATH = 'spec.ephemeralContainers';
const NOT_ALLOWED = 'cannot be set for an Ephemeral Container';
/** What only a container can promise that is there for as long as its pod. */
const DENIED = [
  'ports',
  'resources',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
] as const;

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);

/** The stored pod with the ephemeral containers of `incoming`, and nothing else of it. */
function withEphemeralContainers(incoming: Draft<Pod>, stored: Pod): Pod {
  const { ephemeralContainers } = incoming.spec;
  const { ephemeralContainers: _, ...spec } = stored.spec;
  return { ...stored, spec: isEmpty(ephemeralContainers) ? spec : { ...spec, ephemeralContainers } } as Pod;
}

/** The rules for each of them, beside the pod's other containers. */
export function validateEphemeralContainers(spec: PodSpec): StatusCause[] {
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name));
  const taken = new Set(others);
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const path = `${PATH}[${index}]`;
    const causes = validateContainer(container, spec, path);
    if (container.name && taken.has(container.name)) causes.push(duplicateValue(`${path}.name`, container.name));
    taken.add(container.name);
    const target = container.targetContainerName;
    if (target && !others.has(target)) causes.push(notFoundValue(`${path}.targetContainerName`, target));
    const said = container as EphemeralContainer & Record<string, unknown>;
    for (const field of DENIED) if (!isEmpty(said[field])) causes.push(forbiddenField(`${path}.${field}`, NOT_ALLOWED));
    for (const [position, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if (mount[field]) causes.push(forbiddenField(`${path}.volumeMounts[${position}].${field}`, NOT_ALLOWED));
      }
    }
    return causes;
  });
}

/** What is there stays as it is: by name, for a patch does not keep the order. */
function validateEphemeralUpdate(draft: Pod, current: Pod): StatusCause[] {
  if (current.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
    return [forbiddenField('', 'static pods do not support ephemeral containers')];
  }
  const after = new Map((draft.spec.ephemeralContainers ?? []).map((each) => [each.name, each]));
  return (current.spec.ephemeralContainers ?? []).flatMap((old) => {
    const found = after.get(old.name);
    const what = `existing ephemeral containers ${JSON.stringify(old.name)} may not be`;
    if (found === undefined) return [forbiddenField(PATH, `${what} removed\n`)];
    if (isSame(old, found)) return [];
    return [forbiddenField(PATH, `${what} changed\n${differences(old, found, PATH).join('\n')}`)];
  });
}

export const EPHEMERAL_CONTAINERS: PartRules<Pod> = {
  pick: ({ ephemeralContainers }) => (ephemeralContainers === undefined ? {} : { ephemeralContainers }),
  compose: withEphemeralContainers,
  validate: validateEphemeralUpdate,
};
