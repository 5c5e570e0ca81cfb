/**
 * The secrets that a pod may use when its service account says that they are limited to those which it names itself.
 * Source: kubernetes, limitSecretReferences in plugin/pkg/admission/serviceaccount
 */
import type { Container, PodSpec, ServiceAccount } from '../../shared/api/core.ts';

const ENFORCED = 'kubernetes.io/enforce-mountable-secrets';
/** As Go's strconv.ParseBool; Kubernetes: anything else does not limit. */
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

/** Undefined: the pod uses nothing that it may not. */
export function whyNotMountable(spec: PodSpec, account: ServiceAccount | undefined): string | undefined {
  if (account === undefined || !TRUE.has(account.metadata.annotations?.[ENFORCED] ?? '')) return undefined;
  const { name } = account.metadata;
  const refused = 'is not allowed because service account';
  const mountable = new Set(account.secrets?.map((secret) => secret.name));
  for (const { secret } of spec.volumes ?? []) {
    if (secret !== undefined && !mountable.has(secret.secretName)) {
      return `volume with secret.secretName="${secret.secretName ?? ''}" ${refused} ${name} does not reference that secret`;
    }
  }
  for (const [what, container] of containersOf(spec)) {
    for (const { name: variable, valueFrom } of container.env ?? []) {
      const secret = valueFrom?.secretKeyRef?.name;
      if (valueFrom?.secretKeyRef === undefined || mountable.has(secret)) continue;
      return `${what} ${container.name} with envVar ${variable} referencing secret.secretName="${secret ?? ''}" ${refused} ${name} does not reference that secret`;
    }
  }
  const pullable = new Set(account.imagePullSecrets?.map((secret) => secret.name));
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if (pullable.has(secret.name)) continue;
    return `imagePullSecrets[${index}].name="${secret.name ?? ''}" ${refused} ${name} does not reference that imagePullSecret`;
  }
  return undefined;
}

const containersOf = (spec: PodSpec): [string, Container][] => [
  ...(spec.initContainers ?? []).map((each): [string, Container] => ['init container', each]),
  ...(spec.containers ?? []).map((each): [string, Container] => ['container', each]),
];
