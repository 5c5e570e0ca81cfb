/**
 * The hook controller: says where a hook's deliveries are sent, and whether all that it names is there. What a delivery
 * does is `hook-delivery.ts`.
 */
import { DEPLOYMENTS, type Deployment } from '../../shared/api/apps.ts';
import { SECRETS } from '../../shared/api/core.ts';
import { HOOKS, type Hook } from '../../shared/api/longshore.ts';
import type { Condition, KubeObject } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import type { Surroundings } from './surroundings.ts';

export function createHooks({ cluster }: Pick<Surroundings, 'cluster'>): Controller {
  const usersOf = (object: KubeObject, used: string, objects: Objects): string[] => {
    const having = [{ index: 'uses', value: `${used}/${object.metadata.name}` }];
    return objects.list(HOOKS, { namespace: object.metadata.namespace, having }).map(keyOf);
  };
  return {
    name: 'hook',
    sources: [
      source(HOOKS, ({ type, object, previous }) =>
        type !== 'DELETED' && !isEqual(object.spec, previous?.spec) ? [keyOf(object)] : [],
      ),
      source(SECRETS, ({ type, object, previous }, objects) =>
        type === 'MODIFIED' && isEqual(Object.keys(object.data ?? {}), previous && Object.keys(previous.data ?? {}))
          ? []
          : usersOf(object, 'secrets', objects),
      ),
      source(DEPLOYMENTS, ({ type, object, previous }, objects) =>
        type === 'MODIFIED' && isEqual(containersOf(object), previous && containersOf(previous))
          ? []
          : usersOf(object, 'deployments.apps', objects),
      ),
    ],
    reconcile(key, { objects, nowMs }) {
      const { namespace, name } = splitKey(key);
      const hook = objects.get(HOOKS, namespace, name);
      if (hook === undefined || hook.metadata.deletionTimestamp !== undefined) return;
      const current = hook.status?.conditions?.find((condition) => condition.type === 'Ready');
      const ready = readyCondition(hook, objects);
      const since = current?.status === ready.status ? current.lastTransitionTime : undefined;
      const status = {
        ...hook.status,
        url: `${cluster.apiUrl}/hooks/${namespace}/${name}`,
        conditions: [{ ...ready, lastTransitionTime: since ?? formatTime(nowMs) }],
      };
      if (!isEqual(status, hook.status)) objects.updateStatus(HOOKS, { ...hook, status });
    },
  };
}

export const containersOf = (deployment: Deployment): string[] => {
  const { containers, initContainers = [] } = deployment.spec.template.spec;
  return [...containers, ...initContainers].map((container) => container.name);
};

function readyCondition(hook: Hook, objects: Objects): Condition {
  const namespace = hook.metadata.namespace ?? '';
  const { secretRef, target } = hook.spec;
  const key = secretRef.key ?? 'secret';
  const deployment = objects.get(DEPLOYMENTS, namespace, target.deployment);
  const notReady = (reason: string, message: string): Condition => ({
    type: 'Ready',
    status: 'False',
    reason,
    message,
  });
  if (!objects.get(SECRETS, namespace, secretRef.name)?.data?.[key]) {
    return notReady('SecretMissing', `Secret "${secretRef.name}" has no key "${key}"`);
  }
  if (deployment === undefined)
    return notReady('DeploymentMissing', `Deployment "${target.deployment}" does not exist`);
  if (!containersOf(deployment).includes(target.container)) {
    return notReady('ContainerMissing', `Deployment "${target.deployment}" has no container "${target.container}"`);
  }
  return { type: 'Ready', status: 'True', reason: 'Ready', message: 'The hook takes deliveries' };
}
