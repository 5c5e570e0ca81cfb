/** `v1 PodTemplate`: a template by itself, which nobody acts on. Source: kubernetes, pkg/registry/core/podtemplate. */
import { POD_TEMPLATES, type PodTemplate } from '../../shared/api/core.ts';
import { AGE, formatLabels, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { ALL_VERBS } from './verbs.ts';
import { validateTemplate } from './workloads.ts';

const containers = ({ template }: PodTemplate) => template?.spec?.containers ?? [];

export const POD_TEMPLATES_DEFINITION: ResourceDefinition<PodTemplate> = {
  identity: POD_TEMPLATES,
  singular: 'podtemplate',
  listKind: 'PodTemplateList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.core.v1.PodTemplate',
  generation: true,
  unconditionalUpdate: true,
  default(draft) {
    draft.template ??= { spec: { containers: [] } };
    defaultPodTemplate(draft.template);
  },
  validate: (draft) => validateTemplate(draft.template ?? { spec: { containers: [] } }, 'template'),
  columns: [
    NAME,
    text<PodTemplate>('Containers', 'Names of each container in the template.', (object) =>
      containers(object)
        .map((each) => each.name)
        .join(','),
    ),
    text<PodTemplate>('Images', 'Images referenced by each container in the template.', (object) =>
      containers(object)
        .map((each) => each.image ?? '')
        .join(','),
    ),
    text<PodTemplate>('Pod Labels', 'The labels for the pod template.', ({ template }) =>
      formatLabels(template?.metadata?.labels),
    ),
    AGE,
  ],
};
