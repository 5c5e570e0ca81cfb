/** `discovery.k8s.io/v1`. Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
import type { ObjectReference, Protocol } from './core.ts';
import type { Identity, KubeObject } from './meta.ts';

export interface Endpoint {
  addresses: string[];
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  hostname?: string;
  nodeName?: string;
  zone?: string;
  targetRef?: ObjectReference;
}

export interface EndpointSlice extends KubeObject {
  addressType: 'IPv4' | 'IPv6' | 'FQDN';
  /** May be left out: none. */
  endpoints?: Endpoint[] | null;
  ports?: { name?: string; protocol?: Protocol; port?: number; appProtocol?: string }[];
}
export const ENDPOINT_SLICES: Identity<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};

/** On every slice: which Service it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
