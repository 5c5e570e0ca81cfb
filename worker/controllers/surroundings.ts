/**
 * What controllers need to know that is not in an object: given once by the composition root, read whenever needed.
 * Times and randomness are not here: they come with every reconcile.
 */
import type { Identity } from '../../shared/api/meta.ts';
import type { CertificateAuthority } from './certificate-authority.ts';

/** What the sockets tell of a minion. Looks at sockets and their attachments only; nothing is stored. */
export interface Liveness {
  /** Also while its hello is being answered. */
  connected(node: string): boolean;
  /** How many hellos were answered, of minions that are still there: cheaper than asking who. */
  count(): number;
  /** Everybody whose hello was answered, and when they were last heard from. */
  minions(): ReadonlyMap<string, number>;
  /**
   * When the minion was last heard from (any message or heartbeat), also shortly after its socket broke, as far as this
   * instance of the object knows; undefined when it does not know.
   */
  lastSeenMs(node: string): number | undefined;
  /** Closes the minion's socket, which has been silent for too long: it is to come back with a hello. */
  drop(node: string): void;
}

export interface Surroundings {
  /** Every resource that is stored, custom ones included, each once. */
  resources(): readonly Identity[];
  liveness: Liveness;
  cluster: {
    name: string;
    /** Pattern of public URLs with {name}, {namespace} and {cluster}: env.PUBLIC_URL. */
    publicUrl: string;
    /** The API's URL from outside, with the cluster's path: hooks are addressed below it. */
    apiUrl: string;
    /** `IP:PORT` by which pods reach the API; undefined where its URL is all there is. */
    apiAddress?: string | undefined;
    /** PEM; undefined when clients need no CA of ours (public certificates). */
    caCertificate: string | undefined;
    /** Issues client certificates; undefined where the CA's key is not at hand. */
    authority?(): CertificateAuthority | undefined;
  };
}
