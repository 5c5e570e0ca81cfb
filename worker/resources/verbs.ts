/** The verbs of a resource that can do everything, in discovery's order. */
import type { Verb } from './definition.ts';

export const ALL_VERBS: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];
