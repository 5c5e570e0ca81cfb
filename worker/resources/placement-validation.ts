/**
 * Rules for what a pod says about other pods: affinity, anti-affinity, spreading. Node affinity is `pod-validation.ts`.
 * Source: kubernetes, pkg/apis/core/validation validatePodAffinity, validateTopologySpreadConstraints.
 */
import type { PodAffinity, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../shared/api/core.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, notSupported, required } from '../../shared/errors.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkDNSLabel, checkQualifiedName } from './names.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';
const MAX_WEIGHT = 100;

const messagesAt = (path: string, value: unknown, messages: readonly string[]): StatusCause[] =>
  messages.map((message) => invalidValue(path, value, message));

function validateKey(key: string | undefined, path: string): StatusCause[] {
  if (!key) return [required(path, 'can not be empty')];
  return messagesAt(path, key, checkQualifiedName(key));
}

function validateTerm(term: PodAffinityTerm, path: string): StatusCause[] {
  return [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
    ...(term.namespaces ?? []).flatMap((name) => messagesAt(`${path}.namespace`, name, checkDNSLabel(name))),
    ...validateKey(term.topologyKey, `${path}.topologyKey`),
  ];
}

function validateAffinity(affinity: PodAffinity | undefined, path: string): StatusCause[] {
  const preferred = (affinity?.[PREFERRED] ?? []).flatMap(({ weight, podAffinityTerm }, index) => {
    const at = `${path}.${PREFERRED}[${index}]`;
    const causes = podAffinityTerm === undefined ? [] : validateTerm(podAffinityTerm, `${at}.podAffinityTerm`);
    if (weight >= 1 && weight <= MAX_WEIGHT) return causes;
    return [invalidValue(`${at}.weight`, weight, 'must be in the range 1-100'), ...causes];
  });
  return [
    ...(affinity?.[REQUIRED] ?? []).flatMap((term, index) => validateTerm(term, `${path}.${REQUIRED}[${index}]`)),
    ...preferred,
  ];
}

function validateSpread(spread: TopologySpreadConstraint, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { maxSkew, minDomains, whenUnsatisfiable: when } = spread;
  if (!(maxSkew > 0)) causes.push(invalidValue(`${path}.maxSkew`, maxSkew ?? 0, 'must be greater than zero'));
  causes.push(...validateKey(spread.topologyKey, `${path}.topologyKey`));
  const actions = ['DoNotSchedule', 'ScheduleAnyway'];
  if (!actions.includes(when)) causes.push(notSupported(`${path}.whenUnsatisfiable`, when ?? '', actions));
  if (minDomains !== undefined && minDomains <= 0) {
    causes.push(invalidValue(`${path}.minDomains`, minDomains, 'must be greater than zero'));
  }
  if (minDomains !== undefined && when !== 'DoNotSchedule') {
    const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${when}`;
    causes.push(invalidValue(`${path}.minDomains`, minDomains, why));
  }
  for (const policy of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
    const value = spread[policy];
    if (value !== undefined && !['Honor', 'Ignore'].includes(value)) {
      causes.push(notSupported(`${path}.${policy}`, value, ['Honor', 'Ignore']));
    }
  }
  return [...causes, ...validateLabelSelector(spread.labelSelector, `${path}.labelSelector`)];
}

export function validatePodPlacement(spec: PodSpec, path: string): StatusCause[] {
  return [
    ...validateAffinity(spec.affinity?.podAffinity, `${path}.affinity.podAffinity`),
    ...validateAffinity(spec.affinity?.podAntiAffinity, `${path}.affinity.podAntiAffinity`),
    ...(spec.topologySpreadConstraints ?? []).flatMap((spread, index) =>
      validateSpread(spread, `${path}.topologySpreadConstraints[${index}]`),
    ),
  ];
}
