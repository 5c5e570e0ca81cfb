/**
 * What the Worker asks of a Cluster object besides REST (which is an ordinary fetch with the caller in the USER_HEADER).
 * Errors do not keep their class across the call, so an answer carries its Status.
 */
import type { Status } from '../shared/api/meta.ts';
import type { UserInfo } from './users.ts';

/** UserInfo as JSON in ASCII; set by the Worker after authentication, never taken from outside. */
export const USER_HEADER = 'x-longshore-user';
/** Which cluster: an object cannot always tell its own name. */
export const CLUSTER_HEADER = 'x-longshore-cluster';
/** What stood before the API's own paths in the client's URL: `/clusters/NAME`; absent where nothing did. */
export const BASE_PATH_HEADER = 'x-longshore-base-path';

/** The Worker asks the object to say how it decided, and why; in the answer, that. No secret: a review tells as much. */
export const ANNOTATIONS_HEADER = 'x-longshore-audit';

/** An ordinary fetch, by whichever method: GET unless it says another. Headers are plain: making `Headers` costs every request. */
export interface Question {
  method?: string;
  headers?: Record<string, string>;
  body?: BodyInit | undefined;
}

export type Outcome<T> = { ok: true; value: T } | { ok: false; status: Status };

/** What is asked for with a CONNECT, as fields of PodExecOptions and its like. */
export type ConnectOptions = Record<string, string | boolean | string[] | number[]>;

/** With the options where a webhook has changed them. */
export type Connected<T> = T & { options?: ConnectOptions };

/** Who opens a stream to a pod, or a proxied connection. */
export interface Connect {
  resource: 'pods' | 'services' | 'nodes';
  subresource: 'exec' | 'attach' | 'portforward' | 'proxy';
  namespace: string;
  /** As the path has it: with scheme and port, where it is a proxy's. */
  name: string;
  options: ConnectOptions;
}

/** Where a pod's streams go, after authorization of `pods/SUBRESOURCE`. */
export interface PodLocation {
  node: string;
  uid: string;
  podIP: string;
  /** The container asked for, or the default one. */
  container: string;
  /** Whether that container was created with stdin / a tty (attach). */
  stdin: boolean;
  tty: boolean;
  /** Its ports are the minion's own (port-forward). */
  hostNetwork: boolean;
}

/** Where a public request for a Service goes: any of these. */
export interface ServiceLocation {
  endpoints: { node: string; address: string; port: number }[];
}

/** Where a request for `…/proxy` goes, after its authorization: any of these. A node's own endpoints have no address. */
export interface ProxyLocation {
  tls: boolean;
  endpoints: { node: string; address: string; port: number }[];
}

/** One of those whose usage is asked for, and the minion that knows it. */
export interface UsageLocation {
  name: string;
  namespace: string;
  uid: string;
  labels?: Record<string, string>;
  node: string;
}

export interface HookDelivery {
  namespace: string;
  name: string;
  /** GitHub's X-GitHub-Delivery, or X-Longshore-Delivery, or the body's digest. */
  deliveryId: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Whom a caller wants to act as: the Impersonate headers. */
export interface Impersonation {
  username: string;
  uid?: string;
  groups: string[];
  extra: Record<string, string[]>;
}

export interface ClusterRpc {
  /** Whose a bootstrap token is; undefined for one that is nobody's. */
  bootstrapUser(token: string): Promise<UserInfo | undefined>;
  /** The user to go on as, when the caller may act as it. */
  impersonate(user: UserInfo, asked: Impersonation): Promise<Outcome<UserInfo>>;
  /** `options` of what connects (all but `log`): admitted first. */
  locatePod(
    user: UserInfo,
    asked: {
      namespace: string;
      name: string;
      subresource: 'log' | Connect['subresource'];
      verb: string;
      container?: string;
      options?: ConnectOptions | undefined;
    },
  ): Promise<Outcome<Connected<PodLocation>>>;
  locateProxy(
    user: UserInfo,
    asked: Pick<Connect, 'resource' | 'namespace' | 'name' | 'options'> & { verb: string },
  ): Promise<Outcome<Connected<ProxyLocation>>>;
  locateUsage(
    user: UserInfo,
    asked: {
      resource: 'nodes' | 'pods';
      namespace: string;
      name: string;
      verb: string;
      labelSelector: string;
      fieldSelector: string;
    },
  ): Promise<Outcome<UsageLocation[]>>;
  /** Only Services of type LoadBalancer are public. `port` undefined: the Service's first port (or the one named http). */
  locateService(asked: { namespace: string; name: string; port?: number }): Promise<Outcome<ServiceLocation>>;
  /** Verifies, records and acts; the code is what the sender gets. */
  deliver(delivery: HookDelivery): Promise<{ code: number; message: string }>;
}
