/**
 * What a stored object can be found by: labels, selectable fields, owners, and what its definition adds. Selectors of
 * lists and watches are matched on these alone, so that nothing has to be parsed.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { IndexEntry } from '../store/store.ts';
import { addressEntries } from './service-addresses.ts';

export const labelIndex = (key: string): string => `label:${key}`;
export const fieldIndex = (path: string): string => `field:${path}`;

export function entriesOf(definition: ResourceDefinition, object: KubeObject): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const [key, value] of Object.entries(object.metadata.labels ?? {})) {
    entries.push({ index: labelIndex(key), value });
  }
  for (const [path, value] of Object.entries(definition.fields?.(object) ?? {})) {
    entries.push({ index: fieldIndex(path), value });
  }
  for (const owner of object.metadata.ownerReferences ?? []) entries.push({ index: 'owner', value: owner.uid });
  entries.push(...(definition.entries?.(object) ?? []));
  if (definition.identity.kind === 'Service' && definition.identity.group === '')
    entries.push(...addressEntries(object));
  return entries;
}
