/** `storage.k8s.io/v1 CSINode`. Source: kubernetes, ValidateCSINode. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { CSI_NODES, type CSINode } from '../../shared/api/storage.ts';
import { duplicateValue, invalidValue, required } from '../../shared/errors.ts';
import { AGE, NAME } from './columns.ts';
import { isSame } from './data-validation.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkQualifiedName } from './names.ts';
import { validateDriverName } from './storageclasses.ts';
import { ALL_VERBS } from './verbs.ts';

const MAX_NODE_ID = 192;

function validate(draft: Draft<CSINode>): StatusCause[] {
  const names = new Set<string>();
  return (draft.spec?.drivers ?? []).flatMap((driver, index) => {
    const path = `spec.drivers[${index}]`;
    const causes = validateDriverName(driver.name, `${path}.name`);
    if (names.has(driver.name)) causes.push(duplicateValue(`${path}.name`, driver.name));
    names.add(driver.name);
    if (!driver.nodeID) causes.push(required(`${path}.nodeID`));
    else if (driver.nodeID.length > MAX_NODE_ID) {
      causes.push(invalidValue(`${path}.nodeID`, driver.nodeID, `must be ${MAX_NODE_ID} characters or less`));
    }
    for (const key of driver.topologyKeys ?? []) {
      if (key === '') causes.push(required(path));
      else for (const message of checkQualifiedName(key)) causes.push(invalidValue(path, key, message));
    }
    const count = driver.allocatable?.count;
    if (count !== undefined && count < 0) {
      causes.push(invalidValue(`${path}.allocatable.count`, count, 'must be greater than or equal to 0'));
    }
    return causes;
  });
}

/** A driver that stays keeps what it said of itself, but for how much it can take. */
function validateUpdate(draft: CSINode, current: CSINode): StatusCause[] {
  const known = new Map((current.spec?.drivers ?? []).map((driver) => [driver.name, driver]));
  return (draft.spec?.drivers ?? []).flatMap((driver, index) => {
    const before = known.get(driver.name);
    if (before === undefined || isSame({ ...driver, allocatable: null }, { ...before, allocatable: null })) return [];
    return [invalidValue(`spec.drivers[${index}]`, driver, 'field is immutable')];
  });
}

export const CSI_NODES_DEFINITION: ResourceDefinition<CSINode> = {
  identity: CSI_NODES,
  singular: 'csinode',
  listKind: 'CSINodeList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.storage.v1.CSINode',
  generation: false,
  unconditionalUpdate: false,
  default(draft) {
    draft.spec ??= {};
    // Kubernetes: the list has no omitempty.
    draft.spec.drivers ??= [];
  },
  validate,
  validateUpdate,
  columns: [
    NAME,
    {
      name: 'Drivers',
      type: 'integer',
      description:
        'drivers is a list of information of all CSI Drivers existing on a node. If all drivers in the list are uninstalled, this can become empty.',
      priority: 0,
      value: ({ spec }) => spec?.drivers?.length ?? 0,
    },
    AGE,
  ],
};
