/**
 * Paths below an object that take another kind than the object's own: a Scale, an Eviction, the options of a stream. Those
 * who judge a request see that kind; of the object itself they know the resource and the name.
 * Source: kubernetes, pkg/registry/core/pod/{storage,rest} and the other storages' New()
 */
import type { Identity } from '../../shared/api/meta.ts';
import type { ResourceDefinition } from '../resources/definition.ts';

export type ShownKind = Pick<Identity, 'group' | 'version' | 'kind'>;

const core = (kind: string): ShownKind => ({ group: '', version: 'v1', kind });

const EVERYWHERE: Record<string, ShownKind> = { scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' } };

/** Of the core group, by `RESOURCE/SUBRESOURCE`. */
const OF_CORE: Record<string, ShownKind> = {
  'pods/binding': core('Binding'),
  'pods/eviction': { group: 'policy', version: 'v1', kind: 'Eviction' },
  'pods/exec': core('PodExecOptions'),
  'pods/attach': core('PodAttachOptions'),
  'pods/portforward': core('PodPortForwardOptions'),
  'pods/proxy': core('PodProxyOptions'),
  'services/proxy': core('ServiceProxyOptions'),
  'nodes/proxy': core('NodeProxyOptions'),
  'serviceaccounts/token': { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
};

/** Undefined: the path shows the object itself. */
export function shownKind({ identity }: ResourceDefinition, subresource: string): ShownKind | undefined {
  return (
    EVERYWHERE[subresource] ?? (identity.group === '' ? OF_CORE[`${identity.resource}/${subresource}`] : undefined)
  );
}
