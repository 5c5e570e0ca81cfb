/**
 * Nothing is made in a namespace that does not exist or is on its way out, and the namespaces that the cluster lives on
 * cannot be deleted. Source: k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle
 */
import { NAMESPACES } from '../../shared/api/core.ts';
import { forbidden, notFound, StatusError } from '../../shared/errors.ts';
import type { Admission, AdmissionPlugin } from './plugin.ts';

const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

function terminatingError({ definition, namespace, name }: Admission): StatusError {
  const error = forbidden(
    definition.identity,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const causes = [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ];
  return new StatusError(403, 'Forbidden', error.message, { ...error.status.details, causes });
}

/** Kubernetes: who may do what in a namespace can be asked whether it is there or not. */
const isAccessReview = ({ definition: { identity } }: Admission): boolean =>
  identity.group === 'authorization.k8s.io' && identity.resource === 'localsubjectaccessreviews';

export const namespaceLifecycle: AdmissionPlugin = {
  name: 'NamespaceLifecycle',
  admit(admission) {
    const { operation, definition, namespace, name, reader } = admission;
    if (operation === 'DELETE') {
      if (definition.identity.group === '' && definition.identity.kind === 'Namespace' && IMMORTAL.has(name)) {
        throw forbidden(NAMESPACES, name, 'this namespace may not be deleted');
      }
      return;
    }
    // Kubernetes: an eviction, a binding and a token are made as well.
    if (operation !== 'CREATE' || namespace === '' || isAccessReview(admission)) return;
    const found = reader.get('namespaces', '', namespace);
    if (found === undefined) throw notFound(NAMESPACES, namespace);
    if (found.metadata.deletionTimestamp !== undefined) throw terminatingError(admission);
  },
};
