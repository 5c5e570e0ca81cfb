/**
 * Questions put to the API as objects: authentication's and authorization's reviews. Create only, never stored, no name
 * needed; the apiserver fills in `status` and sends the object back. Who answers is `registry/`, not here.
 */
import type { Identity } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from './definition.ts';

function review(group: string, kind: string, namespaced = false): ResourceDefinition {
  const identity: Identity = { group, version: 'v1', resource: `${kind.toLowerCase()}s`, kind, namespaced };
  return {
    identity,
    singular: kind.toLowerCase(),
    listKind: '',
    verbs: ['create'],
    subresources: [],
    schema: `io.k8s.api.${group.slice(0, group.indexOf('.'))}.v1.${kind}`,
    virtual: true,
    generation: false,
    unconditionalUpdate: false,
    columns: [],
  };
}

export const REVIEWS: readonly ResourceDefinition[] = [
  review('authentication.k8s.io', 'SelfSubjectReview'),
  review('authentication.k8s.io', 'TokenReview'),
  review('authorization.k8s.io', 'LocalSubjectAccessReview', true),
  review('authorization.k8s.io', 'SelfSubjectAccessReview'),
  review('authorization.k8s.io', 'SelfSubjectRulesReview'),
  review('authorization.k8s.io', 'SubjectAccessReview'),
];
