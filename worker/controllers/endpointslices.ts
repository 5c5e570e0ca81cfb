/**
 * The endpoint controllers: for every Service with a selector its EndpointSlices, and the Endpoints object for those who
 * still read it. What they say is decided in `service-endpoints.ts`; here is what is read, and the fewest writes.
 */
import { ENDPOINTS, type Endpoints, PODS, type Pod, SERVICES, type Service } from '../../shared/api/core.ts';
import { ENDPOINT_SLICES, type EndpointSlice, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';
import { isReady, isTerminating } from '../../shared/pods.ts';
import { matchesMap } from '../../shared/selectors.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { controllerReference } from './owners.ts';
import {
  endpointGroups,
  isHeadless,
  isServing,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  MAX_ADDRESSES,
  planSlices,
  sliceLabels,
  subsetsOf,
} from './service-endpoints.ts';

const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const ENDPOINTS_MANAGED_BY = { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' };

export const endpointSlices: Controller = {
  name: 'endpointslice',
  account: 'endpointslice-controller',
  sources: [
    source(SERVICES, ({ type, object, previous }) =>
      type === 'MODIFIED' &&
      isEqual(object.spec, previous?.spec) &&
      isEqual(object.metadata.labels, previous?.metadata.labels)
        ? []
        : [keyOf(object)],
    ),
    source(PODS, keysOfPod),
    // What we wrote ourselves comes by here too; the reconcile finds it as it should be.
    source(ENDPOINT_SLICES, ({ object, type }) => {
      const service = object.metadata.labels?.[SERVICE_NAME_LABEL];
      const isOurs = object.metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
      return type !== 'ADDED' && isOurs && service ? [`${object.metadata.namespace}/${service}`] : [];
    }),
    source(ENDPOINTS, ({ object, type }) => (type === 'ADDED' ? [] : [keyOf(object)])),
  ],
  reconcile(key, { objects }) {
    const { namespace, name } = splitKey(key);
    const service = objects.get(SERVICES, namespace, name);
    if (service === undefined) {
      // Slices have the Service as owner and go with it; Endpoints never had one.
      if (isOurEndpoints(objects.get(ENDPOINTS, namespace, name))) objects.delete(ENDPOINTS, namespace, name);
      return;
    }
    const selector = service.spec.selector ?? {};
    // Kubernetes: without a selector the endpoints are the user's own.
    if (service.spec.type === 'ExternalName' || Object.keys(selector).length === 0) return;
    if (service.metadata.deletionTimestamp !== undefined) return;
    const having = Object.entries(selector).map(([label, value]) => ({ index: `label:${label}`, value }));
    const pods = objects.list(PODS, { namespace, having });
    writeSlices(service, pods, objects);
    writeEndpoints(service, pods, objects);
  },
};

const isOurEndpoints = (endpoints: Endpoints | undefined): boolean =>
  isEqual({ ...endpoints?.metadata.labels, ...ENDPOINTS_MANAGED_BY }, endpoints?.metadata.labels);

/** The Services that select the pod now, or did before its labels changed. */
function keysOfPod({ type, object, previous }: ObjectChange<Pod>, objects: Objects): string[] {
  const isShown = isServing(object) || (previous !== undefined && isServing(previous));
  if (!isShown) return [];
  if (type === 'MODIFIED' && previous !== undefined && looksTheSame(object, previous)) return [];
  const selectors = objects.list(SERVICES, { namespace: object.metadata.namespace });
  return selectors
    .filter(
      ({ spec }) =>
        matchesMap(spec.selector, object.metadata.labels) ||
        (previous !== undefined && matchesMap(spec.selector, previous.metadata.labels)),
    )
    .map(keyOf);
}

const looksTheSame = (pod: Pod, previous: Pod): boolean =>
  isServing(pod) === isServing(previous) &&
  isReady(pod) === isReady(previous) &&
  isTerminating(pod) === isTerminating(previous) &&
  pod.status?.podIP === previous.status?.podIP &&
  pod.spec.nodeName === previous.spec.nodeName &&
  isEqual(pod.metadata.labels, previous.metadata.labels);

function writeSlices(service: Service, pods: readonly Pod[], objects: Objects): void {
  const namespace = service.metadata.namespace ?? '';
  const current = objects.list(ENDPOINT_SLICES, {
    namespace,
    having: [
      { index: `label:${SERVICE_NAME_LABEL}`, value: service.metadata.name },
      { index: `label:${MANAGED_BY_LABEL}`, value: MANAGED_BY },
    ],
  });
  const plan = planSlices(
    service,
    endpointGroups(service, pods),
    current.filter((slice) => slice.addressType === 'IPv4' && slice.metadata.deletionTimestamp === undefined),
    (ports, endpoints) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        generateName: `${service.metadata.name}-`,
        namespace,
        labels: sliceLabels(service),
        ownerReferences: [controllerReference(SERVICES, service)],
      },
      addressType: 'IPv4',
      endpoints,
      ports,
    }),
  );
  for (const slice of plan.remove) objects.delete(ENDPOINT_SLICES, namespace, slice.metadata.name);
  for (const slice of plan.update) objects.update<EndpointSlice>(ENDPOINT_SLICES, slice);
  for (const slice of plan.create) objects.create<EndpointSlice>(ENDPOINT_SLICES, slice);
}

function writeEndpoints(service: Service, pods: readonly Pod[], objects: Objects): void {
  const { name, namespace = '' } = service.metadata;
  const current = objects.get(ENDPOINTS, namespace, name);
  const subsets = subsetsOf(service, pods);
  const isOver = pods.filter(isServing).length > MAX_ADDRESSES;
  const labels = {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
    ...ENDPOINTS_MANAGED_BY,
  };
  const { [OVER_CAPACITY]: _over, ...others } = current?.metadata.annotations ?? {};
  const annotations = isOver ? { ...others, [OVER_CAPACITY]: 'truncated' } : others;
  if (current === undefined) {
    objects.create(ENDPOINTS, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name, namespace, labels, ...(isOver ? { annotations } : {}) },
      subsets,
    });
    return;
  }
  const isSame =
    isEqual(current.subsets ?? [], subsets) &&
    isEqual(current.metadata.labels ?? {}, labels) &&
    isEqual(current.metadata.annotations ?? {}, annotations);
  if (!isSame)
    objects.update(ENDPOINTS, { ...current, metadata: { ...current.metadata, labels, annotations }, subsets });
}
