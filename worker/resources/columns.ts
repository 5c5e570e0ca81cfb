/** Columns that many kinds share, and how their cells are written. Source: kubernetes, pkg/printers/internalversion. */
import type { KubeObject } from '../../shared/api/meta.ts';
import { ageOf } from '../../shared/time.ts';
import type { Column } from './definition.ts';

const NAME_TEXT =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names';
const AGE_TEXT =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.';

export const NAME: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: NAME_TEXT,
  priority: 0,
  value: (object) => object.metadata.name,
};

export const AGE: Column = {
  name: 'Age',
  type: 'string',
  description: AGE_TEXT,
  priority: 0,
  value: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** Where upstream has no printer of its own. */
export const CREATED_AT: Column = {
  name: 'Created At',
  type: 'date',
  description: AGE_TEXT,
  priority: 0,
  value: (object) => object.metadata.creationTimestamp ?? null,
};

/** A column of plain text; `wide`: only with -o wide. */
export function text<T extends KubeObject>(
  name: string,
  description: string,
  value: (object: T, nowMs: number) => string,
  wide = false,
): Column<T> {
  return { name, type: 'string', description, priority: wide ? 1 : 0, value };
}

export function integer<T extends KubeObject>(
  name: string,
  description: string,
  value: (object: T) => number,
): Column<T> {
  return { name, type: 'integer', description, priority: 0, value };
}

/** `a=1,b=2` sorted by key, `<none>` for nothing. */
export function formatLabels(labels: Record<string, string> | undefined): string {
  const keys = Object.keys(labels ?? {}).sort();
  return keys.length === 0 ? '<none>' : keys.map((key) => `${key}=${labels?.[key]}`).join(',');
}
