/** Objects as rows of a meta.k8s.io/v1 Table, and as their metadata alone: what kubectl get asks for. */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from '../resources/definition.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface ColumnDefinition {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export interface TableRow {
  cells: unknown[];
  object: unknown;
}

/** What has columns: a resource, or a kind that is seen only below one. */
export type Tabular = Pick<ResourceDefinition, 'columns'>;

export const columnDefinitions = (definition: Tabular): ColumnDefinition[] =>
  definition.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? '',
    description,
    priority,
  }));

export const partialMetadata = (object: KubeObject, version = 'v1'): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

export function tableRow(
  definition: Tabular,
  object: KubeObject,
  include: IncludeObject,
  nowMs: number,
  version = 'v1',
): TableRow {
  return {
    cells: definition.columns.map((column) => column.value(object, nowMs)),
    object: include === 'Object' ? object : include === 'None' ? null : partialMetadata(object, version),
  };
}

export interface TableAnswer {
  kind: 'Table';
  apiVersion: string;
  metadata: unknown;
  columnDefinitions: ColumnDefinition[] | null;
  rows: TableRow[];
}

export const tableOf = (
  metadata: unknown,
  columns: ColumnDefinition[] | null,
  rows: TableRow[],
  version = 'v1',
): TableAnswer => ({
  kind: 'Table',
  apiVersion: `meta.k8s.io/${version}`,
  metadata,
  columnDefinitions: columns,
  rows,
});
