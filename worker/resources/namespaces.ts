/** `v1 Namespace`. What deleting one does is `controllers/namespace.ts`. Source: kubernetes, pkg/registry/core/namespace. */
import { NAMESPACES, type Namespace } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSLabel } from './names.ts';

/** Keeps a namespace until its content is gone. */
export const NAMESPACE_FINALIZER = 'kubernetes';
const NAME_LABEL = 'kubernetes.io/metadata.name';

function labelWithName(draft: Pick<Draft<Namespace>, 'metadata'>): void {
  if (draft.metadata.name) draft.metadata.labels = { ...draft.metadata.labels, [NAME_LABEL]: draft.metadata.name };
}

export const NAMESPACES_DEFINITION: ResourceDefinition<Namespace> = {
  identity: NAMESPACES,
  singular: 'namespace',
  listKind: 'NamespaceList',
  shortNames: ['ns'],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: ['finalize', 'status'],
  schema: 'io.k8s.api.core.v1.Namespace',
  generation: false,
  unconditionalUpdate: true,
  default: labelWithName,
  prepareCreate(draft) {
    const finalizers = draft.spec?.finalizers ?? [];
    draft.spec = {
      finalizers: finalizers.includes(NAMESPACE_FINALIZER) ? finalizers : [...finalizers, NAMESPACE_FINALIZER],
    };
    draft.status = { phase: 'Active' };
  },
  prepareUpdate(draft, current) {
    // Kubernetes: spec.finalizers changes only through /finalize.
    draft.spec = { ...draft.spec, finalizers: current.spec?.finalizers ?? [] };
    labelWithName(draft);
  },
  validateName: checkDNSLabel,
  fields: (object) => ({ 'status.phase': object.status?.phase ?? '' }),
  columns: [
    NAME,
    text<Namespace>('Status', 'The status of the namespace', (object) => object.status?.phase ?? ''),
    AGE,
  ],
};
