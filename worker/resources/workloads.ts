/** What Deployments, ReplicaSets and their like share: columns of their pod template, rules about selector and template. */
import type { PodTemplateSpec } from '../../shared/api/core.ts';
import type { KubeObject, LabelSelector, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatLabelSelector, matchesLabelSelector } from '../../shared/selectors.ts';
import { text } from './columns.ts';
import type { Column } from './definition.ts';
import { validateAnnotations, validateLabelSelector, validateLabels } from './metadata-validation.ts';
import { validatePodSpec } from './pod-validation.ts';

interface Workload extends KubeObject {
  spec: { selector?: LabelSelector; template?: PodTemplateSpec };
}

/** Containers, Images, Selector; with -o wide. */
export function templateColumns<T extends Workload>(): Column<T>[] {
  const containers = (object: T) => object.spec.template?.spec.containers ?? [];
  return [
    text<T>(
      'Containers',
      'Names of each container in the template.',
      (object) =>
        containers(object)
          .map((each) => each.name)
          .join(','),
      true,
    ),
    text<T>(
      'Images',
      'Images referenced by each container in the template.',
      (object) =>
        containers(object)
          .map((each) => each.image ?? '')
          .join(','),
      true,
    ),
    text<T>(
      'Selector',
      "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
      (object) => formatLabelSelector(object.spec.selector),
      true,
    ),
  ];
}

export function validateCount(value: number | undefined, path: string): StatusCause[] {
  return value !== undefined && value < 0 ? [invalidValue(path, value, 'must be greater than or equal to 0')] : [];
}

const isEmpty = (selector: LabelSelector): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;

/** A pod template by itself. */
export function validateTemplate(template: PodTemplateSpec, path: string): StatusCause[] {
  return [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(template.spec ?? { containers: [] }, `${path}.spec`),
    ...((template.spec?.ephemeralContainers ?? []).length > 0
      ? [forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ];
}

/** Selector and template of an apps/v1 workload whose pods are restarted for ever; `kind` as in messages: deployment. */
export function validateSelectorAndTemplate(spec: Workload['spec'], kind: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { selector, template } = spec;
  if (selector === undefined) causes.push(required('spec.selector'));
  else {
    causes.push(...validateLabelSelector(selector, 'spec.selector'));
    if (isEmpty(selector))
      causes.push(invalidValue('spec.selector', selector, `empty selector is invalid for ${kind}`));
  }
  if (template === undefined) return [...causes, required('spec.template')];
  const labels = template.metadata?.labels;
  if (selector !== undefined && !isEmpty(selector) && !matchesLabelSelector(selector, labels)) {
    const why = '`selector` does not match template `labels`';
    causes.push(invalidValue('spec.template.metadata.labels', labels ?? {}, why));
  }
  causes.push(...validateTemplate(template, 'spec.template'));
  const policy = template.spec?.restartPolicy;
  if (policy !== undefined && policy !== 'Always') {
    causes.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']));
  }
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    const message = 'Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported';
    causes.push({ reason: 'FieldValueForbidden', message, field: 'spec.template.spec.activeDeadlineSeconds' });
  }
  return causes;
}
