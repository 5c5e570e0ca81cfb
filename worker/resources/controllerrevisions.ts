/** `apps/v1 ControllerRevision`: a template as it once was. Who makes them: `controllers/revisions.ts`. Source: kubernetes, pkg/registry/apps/controllerrevision. */
import { CONTROLLER_REVISIONS, type ControllerRevision } from '../../shared/api/apps.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { AGE, integer, NAME, text } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';
import { validateCount } from './workloads.ts';

/** `statefulset.apps/web`; `<none>` where nobody controls it. */
function controllerName({ metadata }: ControllerRevision): string {
  const controller = metadata.ownerReferences?.find((each) => each.controller === true);
  if (controller === undefined) return '<none>';
  const group = controller.apiVersion.includes('/') ? `.${controller.apiVersion.split('/')[0]}` : '';
  return `${controller.kind.toLowerCase()}${group}/${controller.name}`;
}

export const CONTROLLER_REVISIONS_DEFINITION: ResourceDefinition<ControllerRevision> = {
  identity: CONTROLLER_REVISIONS,
  singular: 'controllerrevision',
  listKind: 'ControllerRevisionList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  generation: false,
  unconditionalUpdate: true,
  validate: (draft) => [
    ...(draft.data === undefined ? [required('data', 'data is mandatory')] : []),
    ...validateCount(draft.revision, 'revision'),
  ],
  validateUpdate: (draft, current) =>
    isSame(draft.data, current.data) ? [] : [invalidValue('data', draft.data ?? null, 'field is immutable')],
  columns: [
    NAME,
    text<ControllerRevision>('Controller', 'Controller of the object', controllerName),
    integer<ControllerRevision>(
      'Revision',
      'Revision indicates the revision of the state represented by Data.',
      (object) => object.revision ?? 0,
    ),
    AGE,
  ],
};
