/** Services and EndpointSlices as a test needs them: what it does not say is as the API server would fill it in. */
import { ServiceObjects, type ServiceParts } from '../../agent/link/service-objects.ts';
import type { Service } from '../../shared/api/core.ts';
import { type Endpoint, type EndpointSlice, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';

const metadataOf = (name: string, namespace: string) => ({
  name,
  namespace,
  uid: `${namespace}/${name}`,
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
});

export const service = (name: string, spec: Service['spec'], namespace = 'default'): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadataOf(name, namespace),
  spec,
});

export const slice = (
  of: string,
  endpoints: Endpoint[],
  ports: EndpointSlice['ports'] = [{ name: '', protocol: 'TCP', port: 8080 }],
  more: { namespace?: string; suffix?: string; addressType?: EndpointSlice['addressType'] } = {},
): EndpointSlice => {
  const metadata = metadataOf(`${of}-${more.suffix ?? 'a'}`, more.namespace ?? 'default');
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { [SERVICE_NAME_LABEL]: of } },
    addressType: more.addressType ?? 'IPv4',
    endpoints,
    ports,
  };
};

export const endpoint = (ip: string, more: Omit<Endpoint, 'addresses'> = {}): Endpoint => ({
  addresses: [ip],
  conditions: { ready: true, serving: true, terminating: false },
  ...more,
});

/** What is known of each Service, by its name. */
export function partsByName(services: readonly Service[], slices: readonly EndpointSlice[]): Map<string, ServiceParts> {
  const objects = new ServiceObjects();
  for (const each of [...services, ...slices]) objects.put(each);
  return new Map(objects.names.map((name) => [name, objects.partsOf(name)]));
}
