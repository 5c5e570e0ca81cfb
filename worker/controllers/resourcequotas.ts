/**
 * The status of ResourceQuotas: counted afresh when a quota is new or says something else, and when something leaves its
 * namespace or ends. What comes in is booked by admission, in the write's own transaction.
 */
import { PODS, type Pod, RESOURCE_QUOTAS, type ResourceQuota } from '../../shared/api/core.ts';
import type { Identity, KubeObject } from '../../shared/api/meta.ts';
import { countsTheSame, isTerminal } from '../../shared/pods.ts';
import { totalUsage } from '../admission/quota-usage.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { ANY, type Controller, keyOf, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';

const quotasOf = (objects: Objects, namespace: string | undefined): string[] =>
  namespace === undefined ? [] : objects.list(RESOURCE_QUOTAS, { namespace }).map(keyOf);

/** Kubernetes: what is never counted causes no counting. */
const UNCOUNTED = new Set(['Event', 'Lease', 'Endpoints', 'EndpointSlice', 'ResourceQuota']);

/** The identity by which `Objects` finds a resource: its group and plural are what counts. */
function identityOf(groupResource: string): Identity {
  const [resource = '', ...group] = groupResource.split('.');
  return { group: group.join('.'), version: '', resource, kind: '', namespaced: true };
}

/** It has ended, or a resize of it has come to something. */
const takesLess = (pod: Pod, previous: Pod): boolean =>
  !isTerminal(previous) && (isTerminal(pod) || !countsTheSame(pod, previous));

function left({ type, identity, object }: ObjectChange, objects: Objects): string[] {
  if (type !== 'DELETED' || UNCOUNTED.has(identity.kind)) return [];
  return quotasOf(objects, object.metadata.namespace);
}

export const resourceQuotas: Controller = {
  name: 'resourcequota',
  account: 'resourcequota-controller',
  sources: [
    source(RESOURCE_QUOTAS, ({ type, object, previous }) =>
      type === 'ADDED' || (type === 'MODIFIED' && !isEqual(object.spec, previous?.spec)) ? [keyOf(object)] : [],
    ),
    source(PODS, ({ type, object, previous }, objects) =>
      type === 'MODIFIED' && previous !== undefined && takesLess(object, previous)
        ? quotasOf(objects, object.metadata.namespace)
        : [],
    ),
    { identity: ANY, keys: left },
  ],
  reconcile(key, { objects }) {
    const { namespace, name } = splitKey(key);
    const quota = objects.get(RESOURCE_QUOTAS, namespace, name);
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return;
    const list = (resource: string): KubeObject[] => objects.list(identityOf(resource), { namespace });
    const status: NonNullable<ResourceQuota['status']> = { hard: quota.spec.hard ?? {}, used: totalUsage(quota, list) };
    if (!isEqual(quota.status ?? {}, status)) objects.updateStatus(RESOURCE_QUOTAS, { ...quota, status });
  },
};
