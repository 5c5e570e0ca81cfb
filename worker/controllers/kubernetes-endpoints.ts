/**
 * Where `default/kubernetes` leads: the API server's address, as Endpoints and EndpointSlice, kept as they should be. The
 * Service has no selector, so nobody else writes them. An address is known where API_ADDRESS gives it (`longshore up
 * --listen`), or where the API's URL has one that is no machine's own loopback; a host name, as on Cloudflare, is given as
 * an FQDN slice, which says where the API is and which no proxy sends packets to.
 */
import { ENDPOINTS, SERVICES } from '../../shared/api/core.ts';
import { ENDPOINT_SLICES, type EndpointSlice, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { type Controller, keyOf, source } from './controller.ts';
import { isEqual } from './equality.ts';
import type { Surroundings } from './surroundings.ts';

const NAMESPACE = 'default';
const NAME = 'kubernetes';
const KEY = `${NAMESPACE}/${NAME}`;
const HTTPS_PORT = 443;
const PORT_NAME = 'https';

interface Place {
  addressType: EndpointSlice['addressType'];
  address: string;
  port: number;
}

/** Undefined for a loopback address: it would be another machine's own. */
export function placeOf(apiUrl: string): Place | undefined {
  const { hostname, port } = new URL(apiUrl);
  const bare = hostname.replace(/^\[|\]$/g, '');
  const number = port === '' ? HTTPS_PORT : Number(port);
  if (/^127\./.test(bare) || bare === '::1' || bare === 'localhost') return undefined;
  if (bare.includes(':')) return { addressType: 'IPv6', address: bare, port: number };
  if (/^\d+(\.\d+){3}$/.test(bare)) return { addressType: 'IPv4', address: bare, port: number };
  return { addressType: 'FQDN', address: bare, port: number };
}

export function createKubernetesEndpoints({ cluster }: Pick<Surroundings, 'cluster'>): Controller {
  const ours = (object: Parameters<typeof keyOf>[0]) => (keyOf(object) === KEY ? [KEY] : []);
  return {
    name: 'kubernetes-endpoints',
    sources: [
      source(SERVICES, ({ object }) => ours(object)),
      source(ENDPOINTS, ({ object }) => ours(object)),
      source(ENDPOINT_SLICES, ({ object }) => ours(object)),
    ],
    reconcile(_key, { objects }) {
      const place = placeOf(cluster.apiAddress === undefined ? cluster.apiUrl : `https://${cluster.apiAddress}`);
      if (place === undefined || objects.get(SERVICES, NAMESPACE, NAME) === undefined) return;
      const port = { name: PORT_NAME, port: place.port, protocol: 'TCP' as const };
      const slice: Draft<EndpointSlice> = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: NAME, namespace: NAMESPACE, labels: { [SERVICE_NAME_LABEL]: NAME } },
        addressType: place.addressType,
        endpoints: [{ addresses: [place.address], conditions: { ready: true } }],
        ports: [port],
      };
      const current = objects.get(ENDPOINT_SLICES, NAMESPACE, NAME);
      if (current !== undefined && current.addressType !== place.addressType) {
        objects.delete(ENDPOINT_SLICES, NAMESPACE, NAME);
        objects.create(ENDPOINT_SLICES, slice);
      } else if (current === undefined) objects.create(ENDPOINT_SLICES, slice);
      else if (!isEqual(current.endpoints, slice.endpoints) || !isEqual(current.ports, slice.ports)) {
        objects.update(ENDPOINT_SLICES, { ...current, endpoints: slice.endpoints, ports: slice.ports });
      }
      // Endpoints cannot hold a name.
      const subsets = place.addressType === 'FQDN' ? [] : [{ addresses: [{ ip: place.address }], ports: [port] }];
      const endpoints = objects.get(ENDPOINTS, NAMESPACE, NAME);
      if (endpoints === undefined) {
        const metadata = {
          name: NAME,
          namespace: NAMESPACE,
          labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
        };
        objects.create(ENDPOINTS, { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets });
      } else if (!isEqual(endpoints.subsets ?? [], subsets)) objects.update(ENDPOINTS, { ...endpoints, subsets });
    },
  };
}
