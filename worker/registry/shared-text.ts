/**
 * The text of an object that shares most of its parts with the one before it: what became text once is not made into text
 * again. The same text as `serialise` makes. For objects of which nobody changes a part in place.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { JsonMap } from './json.ts';
import { serialise } from './metadata.ts';

const texts = new WeakMap<object, string>();

function kept(value: object, make: (value: object) => string): string {
  let text = texts.get(value);
  if (text === undefined) {
    text = make(value);
    texts.set(value, text);
  }
  return text;
}

/** undefined for what JSON has no text for. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'object' && value !== null ? kept(value, JSON.stringify) : JSON.stringify(value);

/** An object whose members are shared, though it is new itself. */
function textOfMap(map: object): string {
  const members: string[] = [];
  for (const key of Object.keys(map)) {
    const text = textOf((map as JsonMap)[key]);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join()}}`;
}

export function serialiseShared(object: KubeObject, resourceVersion: string | undefined): string {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { spec, status, ...others } = rest as JsonMap;
  const { managedFields, ...own } = metadata;
  // Without its last brace, and metadata's.
  let text = serialise({ kind, apiVersion, metadata: own } as KubeObject, resourceVersion).slice(0, -2);
  if (managedFields !== undefined && managedFields.length > 0) {
    text += `,"managedFields":[${managedFields.map((entry) => kept(entry, textOfMap)).join()}]`;
  }
  text += '}';
  if (spec !== undefined) text += `,"spec":${textOf(spec)}`;
  for (const key of Object.keys(others)) {
    const other = textOf(others[key]);
    if (other !== undefined) text += `,${JSON.stringify(key)}:${other}`;
  }
  if (status !== undefined) text += `,"status":${textOfStatus(status)}`;
  return `${text}}`;
}

const textOfStatus = (status: unknown): string =>
  typeof status === 'object' && status !== null && !Array.isArray(status) ? textOfMap(status) : JSON.stringify(status);
