/** `v1 ServiceAccount`. Source: kubernetes, pkg/registry/core/serviceaccount. */
import { SERVICE_ACCOUNTS, type ServiceAccount } from '../../shared/api/core.ts';
import { AGE, integer, NAME } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';

export const SERVICE_ACCOUNTS_DEFINITION: ResourceDefinition<ServiceAccount> = {
  identity: SERVICE_ACCOUNTS,
  singular: 'serviceaccount',
  listKind: 'ServiceAccountList',
  shortNames: ['sa'],
  verbs: ALL_VERBS,
  subresources: ['token'],
  schema: 'io.k8s.api.core.v1.ServiceAccount',
  generation: false,
  unconditionalUpdate: true,
  columns: [
    NAME,
    {
      ...integer<ServiceAccount>(
        'Secrets',
        'Secrets is a list of the secrets in the same namespace that pods running using this ServiceAccount are allowed to use. Pods are only limited to this list if this service account has a "kubernetes.io/enforce-mountable-secrets" annotation set to "true". The "kubernetes.io/enforce-mountable-secrets" annotation is deprecated since v1.32. Prefer separate namespaces to isolate access to mounted secrets. This field should not be used to find auto-generated service account token secrets for use outside of pods. Instead, tokens can be requested directly using the TokenRequest API, or service account token secrets can be manually created. More info: https://kubernetes.io/docs/concepts/configuration/secret',
        (object) => object.secrets?.length ?? 0,
      ),
      type: 'string',
    },
    AGE,
  ],
};
