/**
 * `labelSelector` and `fieldSelector` of a request, made ready for the store: what the index answers, what is matched on
 * entries, and what is matched on the key. Nothing here looks at an object's text.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest } from '../../shared/errors.ts';
import {
  type FieldRequirement,
  matchesFields,
  matchesRequirement,
  parseFieldSelector,
  parseLabelSelector,
  type Requirement,
} from '../../shared/selectors.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { IndexEntry } from '../store/store.ts';
import { storedSchema } from './apply/tracking.ts';
import { fieldIndex, labelIndex } from './entries.ts';

export interface Selection {
  /** Selects everything. */
  isEmpty: boolean;
  having: IndexEntry[];
  /** What `having` does not say already, on entries; undefined when nothing is left. */
  matches: ((entries: readonly IndexEntry[]) => boolean) | undefined;
  /** metadata.name and metadata.namespace; undefined when they are not asked about. */
  matchesKey: ((namespace: string, name: string) => boolean) | undefined;
  /** The one name that can match. */
  name: string | undefined;
  /** All of it at once, for watches. */
  selects(entries: readonly IndexEntry[], namespace: string, name: string): boolean;
}

const KEY_FIELDS = ['metadata.name', 'metadata.namespace'];

/** An object of every kind, as empty as can be: its fields are the ones that can be selected by. */
const EMPTY_OBJECT = {
  metadata: { name: '', namespace: '' },
  spec: {},
  status: {},
  involvedObject: {},
  source: {},
} as unknown as KubeObject;

const selectableFields = (definition: ResourceDefinition): string[] => [
  ...KEY_FIELDS,
  ...Object.keys(definition.fields?.(EMPTY_OBJECT) ?? {}),
];

function entryValue(entries: readonly IndexEntry[], index: string): string | undefined {
  return entries.find((entry) => entry.index === index)?.value;
}

const isExact = (each: Requirement): boolean => each.operator === 'in' && each.values.length === 1;

/** Kubernetes: two wordings; kubectl writes before them what was looked for. */
function unknownField(definition: ResourceDefinition, field: string): string {
  if (definition.fields === undefined && storedSchema(definition).structural === undefined) {
    return `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
  }
  return `field label not supported: ${field}`;
}

/** @throws StatusError 400 for a selector that cannot be read or names a field that cannot be selected by. */
export function parseSelection(
  definition: ResourceDefinition,
  labelSelector: string,
  fieldSelector: string,
): Selection {
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector);
  const known = selectableFields(definition);
  const stray = fields.find((each) => !known.includes(each.field));
  if (stray !== undefined) throw badRequest(unknownField(definition, stray.field));
  const keyFields = fields.filter((each) => KEY_FIELDS.includes(each.field));
  const entryFields = fields.filter((each) => !KEY_FIELDS.includes(each.field));
  const exactFields = entryFields.filter((each) => each.operator === '=' && each.value !== '');
  const otherFields = entryFields.filter((each) => !exactFields.includes(each));
  const exactLabels = labels.filter(isExact);
  const otherLabels = labels.filter((each) => !isExact(each));
  const having = [
    ...exactFields.map((each) => ({ index: fieldIndex(each.field), value: each.value })),
    ...exactLabels.map((each) => ({ index: labelIndex(each.key), value: each.values[0] ?? '' })),
  ];
  const rest = (entries: readonly IndexEntry[]) =>
    otherLabels.every((each) => matchesRequirement(each, entryValue(entries, labelIndex(each.key)))) &&
    otherFields.every((each) => matchesField(each, entryValue(entries, fieldIndex(each.field))));
  const matchesKey = (namespace: string, name: string) =>
    matchesFields(keyFields, { 'metadata.name': name, 'metadata.namespace': namespace });
  return {
    isEmpty: labels.length === 0 && fields.length === 0,
    having,
    matches: otherLabels.length + otherFields.length > 0 ? rest : undefined,
    matchesKey: keyFields.length > 0 ? matchesKey : undefined,
    name: keyFields.find((each) => each.field === 'metadata.name' && each.operator === '=')?.value,
    selects: (entries, namespace, name) =>
      matchesKey(namespace, name) &&
      having.every((each) => entries.some((entry) => entry.index === each.index && entry.value === each.value)) &&
      rest(entries),
  };
}

const matchesField = (requirement: FieldRequirement, value: string | undefined): boolean =>
  ((value ?? '') === requirement.value) === (requirement.operator === '=');
