/**
 * Longshore's own group, `longshore.dev/v1`, and every label, annotation and taint key of the domain.
 * A Hook turns a signed POST into a patch of a Deployment's container image.
 */
import type { Condition, Identity, KubeObject } from './meta.ts';

export interface Hook extends KubeObject {
  spec: {
    /** How a delivery proves itself: GitHub's `X-Hub-Signature-256`, or a generic HMAC-SHA256 in `X-Longshore-Signature`. */
    signature?: 'github' | 'hmac';
    /** The key is `data[key]` (default `secret`) of this Secret in the hook's namespace. */
    secretRef: { name: string; key?: string };
    target: {
      /** A Deployment in the hook's namespace. */
      deployment: string;
      container: string;
    };
    /** Where the image stands in the JSON body, as a JSON Pointer (RFC 6901). Default `/image`. */
    imagePointer?: string;
    /** Suspended hooks answer 409 and change nothing. */
    suspend?: boolean;
  };
  status?: {
    url?: string;
    lastDelivery?: {
      id: string;
      time: string;
      image?: string;
      result: 'Deployed' | 'Unchanged' | 'Refused';
      message?: string;
    };
    conditions?: Condition[];
  };
}
export const HOOKS: Identity<Hook> = {
  group: 'longshore.dev',
  version: 'v1',
  resource: 'hooks',
  kind: 'Hook',
  namespaced: true,
};

/** On a LoadBalancer Service: the whole public URL. */
export const URL_ANNOTATION = 'longshore.dev/url';
/** On a mirror pod: what the kubelet writes there upstream, so that tools know a static pod. */
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
export const CONFIG_SOURCE_ANNOTATION = 'kubernetes.io/config.source';
export const CONFIG_HASH_ANNOTATION = 'kubernetes.io/config.hash';

/** flannel's own Node annotations. Source: flannel, pkg/subnet/kube/annotations.go */
export const FLANNEL_ANNOTATIONS = {
  backendType: 'flannel.alpha.coreos.com/backend-type',
  backendData: 'flannel.alpha.coreos.com/backend-data',
  publicIP: 'flannel.alpha.coreos.com/public-ip',
  subnetManager: 'flannel.alpha.coreos.com/kube-subnet-manager',
} as const;

export const NOT_READY_TAINT = 'node.kubernetes.io/not-ready';
export const UNREACHABLE_TAINT = 'node.kubernetes.io/unreachable';
export const UNSCHEDULABLE_TAINT = 'node.kubernetes.io/unschedulable';
