/**
 * EndpointSlices for Endpoints that somebody else wrote: those of a Service without a selector are mirrored, for proxies and
 * DNS read slices alone. What a mirror holds is decided in `mirrored-endpoints.ts`; here is what is read, and the fewest writes.
 * Source: kubernetes, pkg/controller/endpointslicemirroring
 */
import { ENDPOINTS, type Endpoints, NAMESPACES, SERVICES, type Service } from '../../shared/api/core.ts';
import { ENDPOINT_SLICES, type EndpointSlice, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';
import { isEqual } from './equality.ts';
import { MAX_MIRRORED, type MirroredGroup, mirrorEndpoints } from './mirrored-endpoints.ts';
import { controllerReference } from './owners.ts';
import { MANAGED_BY_LABEL } from './service-endpoints.ts';

const MANAGED_BY = 'endpointslicemirroring-controller.k8s.io';
const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror';
/** Kubernetes: Endpoints were once used as locks. */
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';
/** Said about the Endpoints alone. */
const OWN_ANNOTATIONS = new Set([
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubectl.kubernetes.io/last-applied-configuration',
]);
const COMPONENT = 'endpoint-slice-mirroring-controller';

export const endpointSliceMirroring: Controller = {
  name: 'endpointslice-mirroring',
  account: 'endpointslicemirroring-controller',
  sources: [
    source(SERVICES, ({ type, object, previous }) => {
      if (type !== 'MODIFIED') return hasSelector(object) ? [] : [keyOf(object)];
      return previous !== undefined && hasSelector(object) !== hasSelector(previous) ? [keyOf(object)] : [];
    }),
    source(ENDPOINTS, keysOfEndpoints),
    // What we wrote ourselves comes by here too; the reconcile finds it as it should be.
    source(ENDPOINT_SLICES, ({ type, object, previous }) =>
      type === 'ADDED' ? [] : [...new Set([object, ...(previous ? [previous] : [])].flatMap(keysOfMirror))],
    ),
  ],
  reconcile(key, { objects }) {
    const { namespace, name } = splitKey(key);
    const mirrors = objects.list(ENDPOINT_SLICES, {
      namespace,
      having: [
        { index: `label:${SERVICE_NAME_LABEL}`, value: name },
        { index: `label:${MANAGED_BY_LABEL}`, value: MANAGED_BY },
      ],
    });
    const endpoints = objects.get(ENDPOINTS, namespace, name);
    const service = objects.get(SERVICES, namespace, name);
    if (endpoints === undefined || isLeaving(endpoints) || !isMirrored(endpoints) || !isWithoutSelector(service)) {
      for (const slice of mirrors) objects.delete(ENDPOINT_SLICES, namespace, slice.metadata.name);
      return;
    }
    const { groups, skipped } = mirrorEndpoints(endpoints);
    const changed = writeMirrors(endpoints, groups, mirrors, objects);
    if (skipped === 0 || !changed) return;
    const message = `A max of ${MAX_MIRRORED} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped} addresses were skipped`;
    objects.record(endpoints, { type: 'Warning', reason: 'TooManyAddressesToMirror', message, component: COMPONENT });
  },
};

const hasSelector = ({ spec }: Service): boolean => Object.keys(spec.selector ?? {}).length > 0;
const isWithoutSelector = (service: Service | undefined): boolean => service !== undefined && !hasSelector(service);
const isLeaving = ({ metadata }: Endpoints): boolean => metadata.deletionTimestamp !== undefined;
const isMirrored = ({ metadata }: Endpoints): boolean =>
  metadata.labels?.[SKIP_LABEL] !== 'true' && metadata.annotations?.[LEADER_ANNOTATION] === undefined;

function keysOfEndpoints({ object, previous }: ObjectChange<Endpoints>, objects: Objects): string[] {
  if (!isMirrored(object) && (previous === undefined || !isMirrored(previous))) return [];
  const { namespace = '', name } = object.metadata;
  const service = objects.get(SERVICES, namespace, name);
  // Most Endpoints are our own, of a Service with a selector: they are no work at all.
  return service !== undefined && hasSelector(service) ? [] : [keyOf(object)];
}

function keysOfMirror({ metadata }: EndpointSlice): string[] {
  const service = metadata.labels?.[SERVICE_NAME_LABEL];
  return metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY && service ? [`${metadata.namespace}/${service}`] : [];
}

/** The answer is whether anything was written. One mirror a group: the first is kept, others go. */
function writeMirrors(
  endpoints: Endpoints,
  groups: readonly MirroredGroup[],
  mirrors: readonly EndpointSlice[],
  objects: Objects,
): boolean {
  const { name, namespace = '' } = endpoints.metadata;
  const labels = { ...endpoints.metadata.labels, [SERVICE_NAME_LABEL]: name, [MANAGED_BY_LABEL]: MANAGED_BY };
  const annotations = annotationsOf(endpoints);
  const unused = new Set(mirrors);
  let changed = false;
  for (const group of groups) {
    const current = mirrors.find(
      (slice) =>
        unused.has(slice) && slice.addressType === group.addressType && isEqual(slice.ports ?? [], group.ports),
    );
    if (current === undefined) {
      // Kubernetes: nothing new comes into a namespace that ends.
      if (objects.get(NAMESPACES, '', namespace)?.metadata.deletionTimestamp !== undefined) continue;
      const ownerReferences = [controllerReference(ENDPOINTS, endpoints)];
      const metadata = { generateName: `${name}-`, namespace, labels, annotations, ownerReferences };
      objects.create(ENDPOINT_SLICES, { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...group });
      changed = true;
      continue;
    }
    unused.delete(current);
    const isSame =
      isEqual(current.endpoints ?? [], group.endpoints) &&
      isEqual(current.metadata.labels ?? {}, labels) &&
      isEqual(current.metadata.annotations ?? {}, annotations);
    if (isSame) continue;
    objects.update(ENDPOINT_SLICES, { ...current, metadata: { ...current.metadata, labels, annotations }, ...group });
    changed = true;
  }
  for (const slice of unused) objects.delete(ENDPOINT_SLICES, namespace, slice.metadata.name);
  return changed || unused.size > 0;
}

const annotationsOf = ({ metadata }: Endpoints): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.has(key)));
