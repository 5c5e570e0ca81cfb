/** `admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration`: webhooks that may refuse a write. */
import {
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type ValidatingWebhookConfiguration,
} from '../../shared/api/admissionregistration.ts';
import { AGE, integer, NAME } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';
import { defaultWebhook, validateWebhooks } from './webhooks.ts';

export const VALIDATING_WEBHOOK_CONFIGURATIONS_DEFINITION: ResourceDefinition<ValidatingWebhookConfiguration> = {
  identity: VALIDATING_WEBHOOK_CONFIGURATIONS,
  singular: 'validatingwebhookconfiguration',
  listKind: 'ValidatingWebhookConfigurationList',
  categories: ['api-extensions'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
  generation: true,
  unconditionalUpdate: false,
  default({ webhooks }) {
    for (const webhook of webhooks ?? []) defaultWebhook(webhook);
  },
  validate: ({ webhooks }) => validateWebhooks(webhooks),
  columns: [
    NAME,
    integer<ValidatingWebhookConfiguration>(
      'Webhooks',
      'Webhooks indicates the number of webhooks registered in this configuration',
      ({ webhooks }) => webhooks?.length ?? 0,
    ),
    AGE,
  ],
};
