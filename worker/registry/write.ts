/** One write on its way into the store, or a request that stores nothing (an Eviction, a stream), as those see it who may refuse it. */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Operation } from '../admission/plugin.ts';
import type { ResourceDefinition, Subresource } from '../resources/definition.ts';

export interface Write {
  operation: Operation;
  definition: ResourceDefinition;
  subresource?: Subresource | '';
  /** The path, where it writes a part of the object without being one of these (scale). */
  part?: Subresource | '';
  namespace: string;
  name: string;
  draft?: KubeObject;
  current?: KubeObject | undefined;
}
