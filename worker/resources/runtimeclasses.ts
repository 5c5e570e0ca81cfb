/** `node.k8s.io/v1 RuntimeClass`. What it does to pods is `admission/runtime-class.ts`. Source: kubernetes, ValidateRuntimeClass. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { RUNTIME_CLASSES, type RuntimeClass } from '../../shared/api/node.ts';
import { invalidValue } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { validateLabels } from './metadata-validation.ts';
import { checkDNSLabel } from './names.ts';
import { validateToleration } from './pod-validation.ts';
import { ALL_VERBS } from './verbs.ts';

function validate(draft: Draft<RuntimeClass>): StatusCause[] {
  const handler = draft.handler ?? '';
  const causes = checkDNSLabel(handler).map((message) => invalidValue('handler', handler, message));
  for (const [name, amount] of Object.entries(draft.overhead?.podFixed ?? {})) {
    if (compareQuantities(amount, '0') < 0) {
      causes.push(invalidValue(`overhead.podFixed[${name}]`, amount, 'must be greater than or equal to 0'));
    }
  }
  causes.push(...validateLabels(draft.scheduling?.nodeSelector, 'scheduling.nodeSelector'));
  for (const [index, toleration] of (draft.scheduling?.tolerations ?? []).entries()) {
    causes.push(...validateToleration(toleration, `scheduling.tolerations[${index}]`));
  }
  return causes;
}

export const RUNTIME_CLASSES_DEFINITION: ResourceDefinition<RuntimeClass> = {
  identity: RUNTIME_CLASSES,
  singular: 'runtimeclass',
  listKind: 'RuntimeClassList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  generation: false,
  unconditionalUpdate: false,
  validate,
  validateUpdate: (draft, current) =>
    draft.handler === current.handler ? [] : [invalidValue('handler', draft.handler, 'field is immutable')],
  columns: [
    NAME,
    text<RuntimeClass>(
      'Handler',
      'handler specifies the underlying runtime and configuration that the CRI implementation will use to handle pods of this class. The possible values are specific to the node & CRI configuration.  It is assumed that all handlers are available on every node, and handlers of the same name are equivalent on every node. For example, a handler called "runc" might specify that the runc OCI runtime (using native Linux containers) will be used to run the containers in a pod. The Handler must be lowercase, conform to the DNS Label (RFC 1123) requirements, and is immutable.',
      ({ handler }) => handler,
    ),
    AGE,
  ],
};
