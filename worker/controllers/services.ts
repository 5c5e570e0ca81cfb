/**
 * The cloud part of Services: `type: LoadBalancer` gets its host and its whole URL, from the pattern of public URLs. There
 * is nothing to wait for, so it happens in the turn in which the Service is written. Carrying requests is `worker/edge`'s.
 */
import { SERVICES, type Service } from '../../shared/api/core.ts';
import { URL_ANNOTATION } from '../../shared/api/longshore.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import type { Surroundings } from './surroundings.ts';

const COMPONENT = 'service-controller';

/** `{name}`, `{namespace}` and `{cluster}` filled in. */
export function publicUrlOf(pattern: string, cluster: string, namespace: string, name: string): string {
  return pattern.replaceAll('{cluster}', cluster).replaceAll('{namespace}', namespace).replaceAll('{name}', name);
}

export function createServices({ cluster }: Pick<Surroundings, 'cluster'>): Controller {
  return {
    name: 'service',
    account: 'service-controller',
    sources: [
      source(SERVICES, ({ type, object, previous }) =>
        type !== 'DELETED' && (isOurs(object) || (previous !== undefined && isOurs(previous)) || isMarked(object))
          ? [keyOf(object)]
          : [],
      ),
    ],
    reconcile(key, { objects }) {
      const { namespace, name } = splitKey(key);
      const service = objects.get(SERVICES, namespace, name);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const url = isOurs(service) ? publicUrlOf(cluster.publicUrl, cluster.name, namespace, name) : undefined;
      if (url === undefined && !isMarked(service)) return;
      const annotations = { ...service.metadata.annotations };
      if (url === undefined) delete annotations[URL_ANNOTATION];
      else annotations[URL_ANNOTATION] = url;
      let current = service;
      if (!isEqual(annotations, service.metadata.annotations ?? {})) {
        current = objects.update(SERVICES, { ...service, metadata: { ...service.metadata, annotations } });
      }
      const loadBalancer = url === undefined ? {} : { ingress: [{ hostname: new URL(url).hostname }] };
      if (isEqual(current.status?.loadBalancer ?? {}, loadBalancer)) return;
      objects.updateStatus(SERVICES, { ...current, status: { ...current.status, loadBalancer } });
      const [reason, message] =
        url === undefined
          ? ['DeletedLoadBalancer', 'Deleted load balancer']
          : ['EnsuredLoadBalancer', `Ensured load balancer: ${url}`];
      objects.record(service, { type: 'Normal', reason, message, component: COMPONENT });
    },
  };
}

/** Kubernetes: a Service with a class is another implementation's. */
const isOurs = (service: Service): boolean => service.spec.type === 'LoadBalancer' && !service.spec.loadBalancerClass;

const isMarked = (service: Service): boolean => service.metadata.annotations?.[URL_ANNOTATION] !== undefined;
