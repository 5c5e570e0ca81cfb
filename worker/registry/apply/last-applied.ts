/**
 * Moving from `kubectl apply` of the old kind, which keeps the manifest in an annotation, to server-side apply: fields of
 * that manifest are kubectl's already, and the annotation follows what is applied, so that the way back stays open.
 * Source: apimachinery, pkg/util/managedfields/internal/{lastapplied,lastappliedupdater}.go
 */
import type { StatusError } from '../../../shared/errors.ts';
import { type FieldSet, formatPath, fromPath, paths, union } from './field-set.ts';
import type { Applied } from './managed-fields.ts';
import { fieldsOf, type Json, type JsonMap, type TypeOf } from './typed.ts';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Kubernetes: the limit of all annotations together; beyond it the annotation is left empty. */
const MAX_ANNOTATION = 262_144;

function fieldsOfLastApplied(type: TypeOf, text: string): FieldSet | undefined {
  try {
    const annotation = fromPath(['f:metadata', 'f:annotations', `f:${LAST_APPLIED}`]);
    return union(fieldsOf(type, JSON.parse(text) as JsonMap), annotation);
  } catch (error) {
    // What somebody wrote by hand into the annotation allows nothing.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether all fields that a conflict names were in the manifest that kubectl applied last. */
export function allowedByLastApplied(type: TypeOf, lastApplied: string, conflict: StatusError): boolean {
  const causes = conflict.status.details?.causes ?? [];
  if (conflict.code !== 409 || causes.some((cause) => cause.reason !== 'FieldManagerConflict')) return false;
  const set = fieldsOfLastApplied(type, lastApplied);
  if (set === undefined) return false;
  const mine = new Set([...paths(set)].map(formatPath));
  return causes.every((cause) => mine.has(cause.field ?? ''));
}

/** The annotation as it reads after this apply. */
export function withLastApplied(applied: Applied, config: JsonMap): Applied {
  const text = `${JSON.stringify(sorted(withoutAnnotation(config)))}\n`;
  const { object, entries } = applied;
  const metadata = object.metadata as JsonMap;
  const annotations = {
    ...(metadata.annotations as JsonMap),
    [LAST_APPLIED]: text.length > MAX_ANNOTATION ? '' : text,
  };
  return { object: { ...object, metadata: { ...metadata, annotations } }, entries };
}

function withoutAnnotation(config: JsonMap): JsonMap {
  const metadata = config.metadata as JsonMap;
  const { [LAST_APPLIED]: _, ...annotations } = (metadata.annotations ?? {}) as JsonMap;
  return { ...config, metadata: { ...metadata, annotations } };
}

/** As Go writes a map: by key. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]): [string, Json] => [key, sorted(each)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
