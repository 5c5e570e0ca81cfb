/** `resource.k8s.io`: devices that pods claim. Stored and served; nothing here allocates them yet. */
import type { Identity, KubeObject } from './meta.ts';

const identity = <T extends KubeObject>(resource: string, kind: string, namespaced: boolean): Identity<T> => ({
  group: 'resource.k8s.io',
  version: 'v1',
  resource,
  kind,
  namespaced,
});

export interface DeviceSelector {
  cel?: { expression: string };
}

export interface ExactDeviceRequest {
  deviceClassName?: string;
  selectors?: DeviceSelector[];
  allocationMode?: string;
  count?: number;
}

export interface DeviceRequest {
  name: string;
  exactly?: ExactDeviceRequest;
  firstAvailable?: (ExactDeviceRequest & { name: string })[];
}

export interface ResourceClaimSpec {
  devices?: {
    requests?: DeviceRequest[];
    constraints?: { requests?: string[]; matchAttribute?: string }[];
  };
}

export interface DeviceClass extends KubeObject {
  spec: { selectors?: DeviceSelector[]; extendedResourceName?: string };
}
export const DEVICE_CLASSES = identity<DeviceClass>('deviceclasses', 'DeviceClass', false);

export interface ResourceClaim extends KubeObject {
  spec: ResourceClaimSpec;
  status?: { allocation?: object; reservedFor?: { resource: string; name: string; uid: string }[] };
}
export const RESOURCE_CLAIMS = identity<ResourceClaim>('resourceclaims', 'ResourceClaim', true);

export interface ResourceClaimTemplate extends KubeObject {
  spec: { metadata?: Partial<KubeObject['metadata']>; spec?: ResourceClaimSpec };
}
export const RESOURCE_CLAIM_TEMPLATES = identity<ResourceClaimTemplate>(
  'resourceclaimtemplates',
  'ResourceClaimTemplate',
  true,
);

export interface ResourceSlice extends KubeObject {
  spec: {
    driver: string;
    pool?: { name: string; generation?: number; resourceSliceCount?: number };
    nodeName?: string;
    nodeSelector?: { nodeSelectorTerms: object[] };
    allNodes?: boolean;
    perDeviceNodeSelection?: boolean;
    devices?: { name: string }[];
    sharedCounters?: { name: string }[];
  };
}
export const RESOURCE_SLICES = identity<ResourceSlice>('resourceslices', 'ResourceSlice', false);
