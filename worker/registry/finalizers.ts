/** What keeps a deleted object in being: finalizers, and for namespaces those of the spec. */
import type { Namespace } from '../../shared/api/core.ts';
import type { DeleteOptions, KubeObject } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from '../resources/definition.ts';

export const ORPHAN = 'orphan';
export const FOREGROUND = 'foregroundDeletion';

const specFinalizers = (object: KubeObject): readonly string[] =>
  object.kind === 'Namespace' && object.apiVersion === 'v1' ? ((object as Namespace).spec?.finalizers ?? []) : [];

/** Whether a deleted object must stay: somebody still has to let go of it, or its grace period is not over. */
export const isHeld = (object: KubeObject): boolean =>
  (object.metadata.finalizers ?? []).length > 0 ||
  specFinalizers(object).length > 0 ||
  (object.metadata.deletionGracePeriodSeconds ?? 0) > 0;

/**
 * The finalizers after a DELETE with these options: its propagation policy decides, then one that is there already,
 * then the kind's default.
 */
export function finalizersAfterDelete(
  definition: ResourceDefinition,
  object: KubeObject,
  options: DeleteOptions,
): string[] {
  // Only the first deletion: what has been let go of is not taken up again.
  const added = object.metadata.deletionTimestamp === undefined ? (definition.finalizersOnDelete ?? []) : [];
  const before = [...new Set([...(object.metadata.finalizers ?? []), ...added])];
  const others = before.filter((each) => each !== ORPHAN && each !== FOREGROUND);
  const policy = policyOf(definition, before, options);
  if (policy === 'Orphan') return [...others, ORPHAN];
  if (policy === 'Foreground') return [...others, FOREGROUND];
  return others;
}

function policyOf(
  definition: ResourceDefinition,
  finalizers: readonly string[],
  options: DeleteOptions,
): 'Orphan' | 'Foreground' | 'Background' {
  if (options.propagationPolicy) return options.propagationPolicy;
  if (options.orphanDependents !== undefined) return options.orphanDependents ? 'Orphan' : 'Background';
  if (finalizers.includes(ORPHAN)) return 'Orphan';
  if (finalizers.includes(FOREGROUND)) return 'Foreground';
  return definition.defaultPropagation ?? 'Background';
}
