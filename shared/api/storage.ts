/** `storage.k8s.io`: classes of volumes, and what drivers and nodes say of themselves. */
import type { Identity, KubeObject, LabelSelector } from './meta.ts';

const identity = <T extends KubeObject>(resource: string, kind: string, namespaced = false): Identity<T> => ({
  group: 'storage.k8s.io',
  version: 'v1',
  resource,
  kind,
  namespaced,
});

export interface StorageClass extends KubeObject {
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: string;
  mountOptions?: string[];
  allowVolumeExpansion?: boolean;
  volumeBindingMode?: string;
  allowedTopologies?: { matchLabelExpressions?: { key: string; values?: string[] }[] }[];
}
export const STORAGE_CLASSES = identity<StorageClass>('storageclasses', 'StorageClass');

export interface VolumeError {
  time?: string;
  message?: string;
  errorCode?: number;
}

export interface VolumeAttachment extends KubeObject {
  spec: {
    attacher: string;
    nodeName: string;
    source: { persistentVolumeName?: string; inlineVolumeSpec?: object };
  };
  status?: {
    attached?: boolean;
    attachmentMetadata?: Record<string, string>;
    attachError?: VolumeError;
    detachError?: VolumeError;
  };
}
export const VOLUME_ATTACHMENTS = identity<VolumeAttachment>('volumeattachments', 'VolumeAttachment');

export interface CSIDriver extends KubeObject {
  spec: {
    attachRequired?: boolean;
    podInfoOnMount?: boolean;
    volumeLifecycleModes?: string[];
    storageCapacity?: boolean;
    fsGroupPolicy?: string;
    tokenRequests?: { audience: string; expirationSeconds?: number }[];
    requiresRepublish?: boolean;
    seLinuxMount?: boolean;
    nodeAllocatableUpdatePeriodSeconds?: number;
  };
}
export const CSI_DRIVERS = identity<CSIDriver>('csidrivers', 'CSIDriver');

export interface CSINodeDriver {
  name: string;
  nodeID: string;
  topologyKeys?: string[];
  allocatable?: { count?: number };
}

export interface CSINode extends KubeObject {
  spec: { drivers?: CSINodeDriver[] };
}
export const CSI_NODES = identity<CSINode>('csinodes', 'CSINode');

export interface CSIStorageCapacity extends KubeObject {
  nodeTopology?: LabelSelector;
  storageClassName: string;
  capacity?: string;
  maximumVolumeSize?: string;
}
export const CSI_STORAGE_CAPACITIES = identity<CSIStorageCapacity>('csistoragecapacities', 'CSIStorageCapacity', true);

export interface VolumeAttributesClass extends KubeObject {
  driverName: string;
  parameters?: Record<string, string>;
}
export const VOLUME_ATTRIBUTES_CLASSES = identity<VolumeAttributesClass>(
  'volumeattributesclasses',
  'VolumeAttributesClass',
);
