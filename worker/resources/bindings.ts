/**
 * `v1 Binding`: the old way to put a pod on a node, `POST namespaces/NS/bindings`. Never stored; who binds is the pod's
 * subresource of the same name.
 */
import type { Binding } from '../../shared/api/core.ts';
import type { ResourceDefinition } from './definition.ts';

export const BINDINGS_DEFINITION: ResourceDefinition<Binding> = {
  identity: { group: '', version: 'v1', resource: 'bindings', kind: 'Binding', namespaced: true },
  singular: 'binding',
  listKind: '',
  verbs: ['create'],
  subresources: [],
  schema: 'io.k8s.api.core.v1.Binding',
  virtual: true,
  generation: false,
  unconditionalUpdate: false,
  columns: [],
};
