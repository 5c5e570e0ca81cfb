/** Bindings of the Worker (wrangler.toml, and the configuration generated for workerd). */
import type { ClusterRpc } from './rpc.ts';

export interface Env {
  /** Durable Object class Cluster, one object a cluster, by name. */
  CLUSTER: DurableObjectNamespace<Rpc.DurableObjectBranded & ClusterRpc>;
  /** Durable Object class Relay, one object a minion, named `CLUSTER/NODE`. */
  RELAY: DurableObjectNamespace;
  /** 32 bytes or more, base64url: every key is derived from it. */
  ROOT_SECRET: string;
  /**
   * How public Services are addressed: `http://{name}.{namespace}.localhost:8080`, or a path form
   * `https://HOST/public/{cluster}/{namespace}/{name}/`.
   */
  PUBLIC_URL: string;
  /** The API's own URL as clients see it, without a trailing slash. */
  API_URL: string;
  /** `IP:PORT` by which machines and pods reach the API, where API_URL is a loopback address or a name. */
  API_ADDRESS?: string;
  /** PEM of the CA that signed the API's certificate; absent where public certificates need none. */
  CA_CERTIFICATE?: string;
  /** PEM (PKCS #8) of that CA's key: with it, certificates.k8s.io signs client certificates. */
  CA_KEY?: string;
  /** People's identity provider; each as the apiserver's flag `--oidc-…` of that name. Absent: none. */
  OIDC_ISSUER_URL?: string;
  OIDC_CLIENT_ID?: string;
  OIDC_USERNAME_CLAIM?: string;
  OIDC_USERNAME_PREFIX?: string;
  OIDC_GROUPS_CLAIM?: string;
  OIDC_GROUPS_PREFIX?: string;
  /** YAML or JSON of an audit.k8s.io/v1 Policy. Absent: nothing is logged of requests. */
  AUDIT_POLICY?: string;
  /** Static assets. */
  ASSETS?: Fetcher;
}
