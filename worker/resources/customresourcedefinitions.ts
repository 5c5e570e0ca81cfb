/**
 * `apiextensions.k8s.io/v1 CustomResourceDefinition`. What a definition turns into is `registry/custom.ts`; who accepts its
 * names and removes its objects is `controllers/customresourcedefinitions.ts`.
 */
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from '../../shared/api/apiextensions.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { NAME, text } from './columns.ts';
import { validateDefinition, validateDefinitionStatus, validateDefinitionUpdate } from './crd-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';

/** Held until the last object is gone; put there by the deletion itself. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

function applyDefaults({ spec }: Draft<CustomResourceDefinition>): void {
  if (spec === undefined) return;
  const { names } = spec;
  if (names?.kind) {
    names.singular ||= names.kind.toLowerCase();
    names.listKind ||= `${names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  spec.conversion.strategy ??= 'None';
  if (spec.preserveUnknownFields === false) delete spec.preserveUnknownFields;
  const service = spec.conversion.webhook?.clientConfig?.service as { port?: number } | undefined;
  if (service !== undefined) service.port ??= 443;
}

/** The versions that objects may be stored in: the storage version is always among them. */
function keepStored(draft: CustomResourceDefinition): void {
  const storage = draft.spec.versions?.find((each) => each.storage)?.name;
  const stored = draft.status?.storedVersions ?? [];
  if (storage === undefined || stored.includes(storage)) return;
  draft.status = { ...draft.status, storedVersions: [...stored, storage] };
}

export const CUSTOM_RESOURCE_DEFINITIONS_DEFINITION: ResourceDefinition<CustomResourceDefinition> = {
  identity: CUSTOM_RESOURCE_DEFINITIONS,
  singular: 'customresourcedefinition',
  listKind: 'CustomResourceDefinitionList',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  generation: true,
  unconditionalUpdate: false,
  finalizersOnDelete: [CLEANUP_FINALIZER],
  default: applyDefaults,
  prepareCreate(draft) {
    draft.status = {
      conditions: [],
      acceptedNames: { plural: '', kind: '' },
      storedVersions: [],
    };
    keepStored(draft as CustomResourceDefinition);
  },
  prepareUpdate: keepStored,
  validate: validateDefinition,
  validateUpdate: validateDefinitionUpdate,
  validateStatus: (draft) => validateDefinitionStatus(draft),
  columns: [
    NAME,
    {
      ...text<CustomResourceDefinition>('Created At', '', ({ metadata }) => metadata.creationTimestamp),
      type: 'date',
      description:
        'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.',
    },
  ],
};
