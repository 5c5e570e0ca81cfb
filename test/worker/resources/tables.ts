/** What tests of definitions look at: a row's cells, and causes as the lines that people see. */
import type { KubeObject, StatusCause } from '../../../shared/api/meta.ts';
import type { ResourceDefinition } from '../../../worker/resources/definition.ts';

export const cellsOf = <T extends KubeObject>(resource: ResourceDefinition<T>, object: T, nowMs: number): unknown[] =>
  resource.columns.map((column) => column.value(object, nowMs));

export const lines = (causes: readonly StatusCause[]): string[] =>
  causes.map((cause) => `${cause.field}: ${cause.message}`);
