/**
 * Pods keep to the level of their namespace's labels `pod-security.kubernetes.io/{enforce,warn,audit}`: enforce refuses, warn
 * warns, also about the templates of workloads. Source: k8s.io/pod-security-admission/admission
 */
import type { Namespace, Pod, PodTemplateSpec } from '../../shared/api/core.ts';
import type { KubeObject, StatusCause } from '../../shared/api/meta.ts';
import { forbidden, invalid, invalidValue } from '../../shared/errors.ts';
import { type Admission, type AdmissionPlugin, isOf } from './plugin.ts';
import { type Level, type SecuredPod, violationsOf } from './pod-security-checks.ts';

const PREFIX = 'pod-security.kubernetes.io/';
const MODES = ['enforce', 'audit', 'warn'];
const LEVELS = ['privileged', 'baseline', 'restricted'];
const WORKLOADS = new Set([
  'CronJob',
  'DaemonSet',
  'Deployment',
  'Job',
  'PodTemplate',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
]);

interface Policy {
  level: Level;
  version: string;
}

const isLevel = (text: string | undefined): text is Level => LEVELS.includes(text ?? '');
const isVersion = (text: string): boolean => text === 'latest' || /^v1\.(0|[1-9]\d*)$/.test(text);

/** Kubernetes: what cannot be read is enforced as the strictest, and never stays unnoticed. */
function policyOf(namespace: Namespace | undefined, mode: string): Policy {
  const labels = namespace?.metadata.labels ?? {};
  const level = labels[`${PREFIX}${mode}`];
  const version = labels[`${PREFIX}${mode}-version`] ?? 'latest';
  if (level === undefined) return { level: 'privileged', version };
  return { level: isLevel(level) ? level : 'restricted', version: isVersion(version) ? version : 'latest' };
}

function validateLabels(namespace: KubeObject): StatusCause[] {
  const labels = namespace.metadata.labels ?? {};
  return MODES.flatMap((mode) => {
    const level = labels[`${PREFIX}${mode}`];
    const version = labels[`${PREFIX}${mode}-version`];
    return [
      ...(level === undefined || isLevel(level)
        ? []
        : [invalidValue(`metadata.labels[${PREFIX}${mode}]`, level, `must be one of ${LEVELS.join(', ')}`)]),
      ...(version === undefined || isVersion(version)
        ? []
        : [invalidValue(`metadata.labels[${PREFIX}${mode}-version]`, version, 'must be "latest" or "v1.x"')]),
    ];
  });
}

function templateOf(object: KubeObject): SecuredPod | undefined {
  const { spec, template } = object as KubeObject & {
    template?: PodTemplateSpec;
    spec?: { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } };
  };
  const found = template ?? spec?.jobTemplate?.spec?.template ?? spec?.template;
  return found?.spec === undefined ? undefined : (found as SecuredPod);
}

function check(admission: Admission, pod: SecuredPod, enforced: boolean): void {
  const { reader, namespace, definition, name, draft } = admission;
  const home = reader.get('namespaces', '', namespace) as Namespace | undefined;
  const enforce = policyOf(home, 'enforce');
  const refused = enforced ? violationsOf(enforce.level, pod) : undefined;
  if (refused !== undefined) {
    const why = `violates PodSecurity "${enforce.level}:${enforce.version}": ${refused}`;
    throw forbidden(definition.identity, draft?.metadata.name ?? name, why);
  }
  const warn = policyOf(home, 'warn');
  const warned = violationsOf(warn.level, pod);
  if (warned !== undefined) admission.warn(`would violate PodSecurity "${warn.level}:${warn.version}": ${warned}`);
}

/** Kubernetes: an update that changes nothing of what the standards look at is no new decision. */
const sameSecurity = (draft: Pod, current: Pod): boolean => {
  const seen = ({ spec }: Pod) => JSON.stringify({ ...spec, tolerations: null, activeDeadlineSeconds: null });
  return seen(draft) === seen(current);
};

export const podSecurity: AdmissionPlugin = {
  name: 'PodSecurity',
  validate(admission) {
    const { operation, definition, subresource, draft, current } = admission;
    if (operation === 'DELETE' || draft === undefined) return;
    if (isOf(admission, 'Namespace')) {
      const causes = validateLabels(draft);
      if (causes.length > 0) throw invalid(definition.identity, draft.metadata.name, causes);
      return;
    }
    if (definition.identity.kind === 'Pod' && definition.identity.group === '') {
      const isSpec = subresource === '' || subresource === 'ephemeralcontainers';
      if (!isSpec || (current !== undefined && sameSecurity(draft as Pod, current as Pod))) return;
      check(admission, draft as Pod, true);
      return;
    }
    if (subresource !== '' || !WORKLOADS.has(definition.identity.kind)) return;
    const template = templateOf(draft);
    if (template !== undefined) check(admission, template, false);
  },
};
