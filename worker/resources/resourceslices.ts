/** `resource.k8s.io/v1 ResourceSlice`: the devices that a driver offers. Source: kubernetes, ValidateResourceSlice. */
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { RESOURCE_SLICES, type ResourceSlice } from '../../shared/api/resource.ts';
import { duplicateValue, invalidValue, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkDNSLabel, checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const PLACES = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const;

function validate(draft: Draft<ResourceSlice>): StatusCause[] {
  const { spec } = draft;
  const causes: StatusCause[] = [];
  const check = (path: string, value: string | undefined, rule: (value: string) => string[]): void => {
    if (!value) causes.push(required(path));
    else for (const message of rule(value)) causes.push(invalidValue(path, value, message));
  };
  check('spec.driver', spec.driver, checkDNSSubdomain);
  check('spec.pool.name', spec.pool?.name, (name) => name.split('/').flatMap(checkDNSSubdomain));
  if ((spec.pool?.resourceSliceCount ?? 0) <= 0) {
    const count = spec.pool?.resourceSliceCount ?? 0;
    causes.push(invalidValue('spec.pool.resourceSliceCount', count, 'must be greater than zero'));
  }
  const given = PLACES.filter((place) => spec[place] !== undefined && spec[place] !== false && spec[place] !== '');
  // Kubernetes: a slice of shared counters alone is nowhere.
  const nowhere = (spec.sharedCounters?.length ?? 0) > 0 && !spec.devices?.length;
  const listed = '`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`';
  if (given.length === 0 && !nowhere) causes.push(required('spec', `exactly one of ${listed} is required`));
  else if (given.length > 1) {
    causes.push(
      invalidValue(
        'spec',
        `{${given.join(', ')}}`,
        `exactly one of ${listed} is required, but multiple fields are set`,
      ),
    );
  }
  const names = new Set<string>();
  for (const [index, device] of (spec.devices ?? []).entries()) {
    check(`spec.devices[${index}].name`, device.name, checkDNSLabel);
    if (names.has(device.name)) causes.push(duplicateValue(`spec.devices[${index}].name`, device.name));
    names.add(device.name);
  }
  return causes;
}

function validateUpdate(draft: ResourceSlice, current: ResourceSlice): StatusCause[] {
  const pairs = [
    ['spec.pool.name', draft.spec.pool?.name, current.spec.pool?.name],
    ['spec.driver', draft.spec.driver, current.spec.driver],
    ['spec.nodeName', draft.spec.nodeName, current.spec.nodeName],
    ['spec.allNodes', draft.spec.allNodes, current.spec.allNodes],
  ] as const;
  return pairs
    .filter(([, after, before]) => after !== before)
    .map(([path, after]) => invalidValue(path, after ?? null, 'field is immutable'));
}

export const RESOURCE_SLICES_DEFINITION: ResourceDefinition<ResourceSlice> = {
  identity: RESOURCE_SLICES,
  singular: 'resourceslice',
  listKind: 'ResourceSliceList',
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.resource.v1.ResourceSlice',
  generation: true,
  unconditionalUpdate: true,
  validate,
  validateUpdate,
  fields: ({ spec }) => ({ 'spec.nodeName': spec.nodeName ?? '', 'spec.driver': spec.driver }),
  columns: [
    NAME,
    text<ResourceSlice>(
      'Node',
      'NodeName identifies the node which provides the resources in this pool.',
      ({ spec }) => spec.nodeName ?? (spec.allNodes ? '<all nodes>' : spec.nodeSelector ? '<node selector>' : ''),
    ),
    text<ResourceSlice>(
      'Driver',
      'Driver identifies the DRA driver providing the capacity information.',
      ({ spec }) => spec.driver,
    ),
    text<ResourceSlice>(
      'Pool',
      'Pool describes the pool that this ResourceSlice belongs to.',
      ({ spec }) => spec.pool?.name ?? '',
    ),
    AGE,
  ],
};
