/** `admissionregistration.k8s.io/v1 MutatingWebhookConfiguration`: webhooks that may change a write, or refuse it. */
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  type MutatingWebhookConfiguration,
} from '../../shared/api/admissionregistration.ts';
import { notSupported } from '../../shared/errors.ts';
import { AGE, integer, NAME } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';
import { defaultWebhook, validateWebhooks } from './webhooks.ts';

const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];

export const MUTATING_WEBHOOK_CONFIGURATIONS_DEFINITION: ResourceDefinition<MutatingWebhookConfiguration> = {
  identity: MUTATING_WEBHOOK_CONFIGURATIONS,
  singular: 'mutatingwebhookconfiguration',
  listKind: 'MutatingWebhookConfigurationList',
  categories: ['api-extensions'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration',
  generation: true,
  unconditionalUpdate: false,
  default({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ||= 'Never';
    }
  },
  validate({ webhooks }) {
    const causes = validateWebhooks(webhooks);
    for (const [index, { reinvocationPolicy = 'Never' }] of (webhooks ?? []).entries()) {
      if (REINVOCATION_POLICIES.includes(reinvocationPolicy)) continue;
      causes.push(notSupported(`webhooks[${index}].reinvocationPolicy`, reinvocationPolicy, REINVOCATION_POLICIES));
    }
    return causes;
  },
  columns: [
    NAME,
    integer<MutatingWebhookConfiguration>(
      'Webhooks',
      'Webhooks indicates the number of webhooks registered in this configuration',
      ({ webhooks }) => webhooks?.length ?? 0,
    ),
    AGE,
  ],
};
