/** What is filled in for whoever writes, before anybody looks at it: a kind's own defaults, and the spec that each has. */
import type { Draft, KubeObject } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { storedSchema } from './apply/tracking.ts';

/** Kubernetes: the spec is a struct, there even when nobody sets anything in it. A custom resource's is what its schema says. */
export function fillIn(definition: ResourceDefinition, draft: Draft<KubeObject>): void {
  const spec = storedSchema(definition).fields?.get('spec')?.schema;
  const withSpec = draft as Draft<KubeObject> & { spec?: unknown };
  if (spec?.type === 'object' && spec.structural === undefined) withSpec.spec ??= {};
  definition.default?.(draft);
}
