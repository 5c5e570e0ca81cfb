/**
 * What a stream on a data socket can be. The opener's header is one of these; the answerer's head follows; then bytes on
 * numbered channels. Frames and credit are in `frames.ts` and `session.ts`; what a kind does on the minion is in
 * `agent/link/streams.ts`.
 */
import type { Status } from '../api/meta.ts';

interface PodStream {
  namespace: string;
  pod: string;
  uid: string;
}

export interface ExecHeader extends PodStream {
  kind: 'exec';
  container: string;
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}
export interface AttachHeader extends PodStream {
  kind: 'attach';
  container: string;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}
export interface LogsHeader extends PodStream {
  kind: 'logs';
  container: string;
  follow: boolean;
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  limitBytes?: number;
  sinceMs?: number;
}
/** Bytes of a SPDY/3.1 session as kubectl speaks it, ended by the agent. */
export interface PortForwardHeader extends PodStream {
  kind: 'portforward';
  /** The pod has no network of its own: its loopback is the minion's. */
  hostNetwork: boolean;
  /** The older form without SPDY: the n-th port has data on channel 2n and error text on 2n + 1. */
  ports?: number[];
}
/** One HTTP/1.1 exchange with an address of the pod network. Hop-by-hop headers are left out on both sides. */
export interface HttpHeader {
  kind: 'http';
  address: string;
  port: number;
  method: string;
  /** Path and query, as the client wrote them. */
  path: string;
  headers: [string, string][];
  /** Whether a request body follows on channel 0. The answer's body comes on channel 0 too. */
  body: boolean;
  /** A WebSocket upgrade: after a 101 head, channel 0 carries the records of `messages.ts` both ways. */
  upgrade?: 'websocket';
  /** The address speaks TLS; its certificate is not judged, as pods seldom have one that could be, unless there is `trust`. */
  tls?: boolean;
  /** With `tls`: the certificate must be of this name, and signed by these authorities (PEM) or, without any, by public ones. */
  trust?: { serverName: string; caBundle?: string };
  /** Not to an address, but to what the minion itself serves as a kubelet does. */
  to?: 'kubelet';
}
/** Raw bytes to an address of the pod network. */
export interface DialHeader {
  kind: 'dial';
  address: string;
  port: number;
}

export type StreamHeader = ExecHeader | AttachHeader | LogsHeader | PortForwardHeader | HttpHeader | DialHeader;
export type StreamKind = StreamHeader['kind'];

/** The answerer's first word on a stream. */
export type StreamHead =
  | { ok: true; http?: { status: number; statusText: string; headers: [string, string][] } }
  | { ok: false; status: Status };

/** How a stream ended. exec: `status` as Kubernetes' v4 channel 3 carries it (NonZeroExitCode with its cause). */
export interface StreamEnd {
  status?: Status;
  /** Why the bytes stopped before their end. */
  error?: string;
}

/**
 * Channels of exec and attach, as Kubernetes numbers them. A resize is one small chunk, the JSON text that clients send:
 * `{"Width":80,"Height":24}`. Logs, portforward and dial use channel 0 alone.
 */
export const CHANNELS = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
