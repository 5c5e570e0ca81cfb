/**
 * Kubernetes' WebSocket subprotocols as pure functions: which one is spoken, and messages to channels and back.
 * Source: k8s.io/apimachinery/pkg/util/remotecommand, k8s.io/apiserver/pkg/util/wsstream, KEP-4006.
 */
import { badRequest } from '../../../shared/errors.ts';

export interface Subprotocol {
  /** '' when the client offered none: the oldest form, and no header in the answer. */
  name: string;
  base64: boolean;
  /** How channel 3 tells the end: a Status, or a text when something went wrong. */
  end: 'status' | 'text';
  /** Whether `[255, channel]` half-closes a channel. */
  halfClose: boolean;
}

const plain = (name: string, rest: Partial<Subprotocol> = {}): Subprotocol => ({
  name,
  base64: name.includes('base64'),
  end: 'text',
  halfClose: false,
  ...rest,
});

/** exec and attach. */
export const TERMINAL_PROTOCOLS: readonly Subprotocol[] = [
  plain('v5.channel.k8s.io', { end: 'status', halfClose: true }),
  plain('v4.channel.k8s.io', { end: 'status' }),
  plain('v4.base64.channel.k8s.io', { end: 'status' }),
  plain('v3.channel.k8s.io'),
  plain('v2.channel.k8s.io'),
  plain('channel.k8s.io'),
  plain('base64.channel.k8s.io'),
  plain(''),
];

export const SPDY_TUNNEL = 'SPDY/3.1+portforward.k8s.io';
export const PORT_PROTOCOLS: readonly Subprotocol[] = [
  plain(SPDY_TUNNEL),
  plain('v4.channel.k8s.io'),
  plain('v4.base64.channel.k8s.io'),
  plain('channel.k8s.io'),
  plain('base64.channel.k8s.io'),
  plain(''),
];

export const LOG_PROTOCOLS: readonly Subprotocol[] = [
  plain('binary.k8s.io'),
  plain('base64.binary.k8s.io'),
  plain('base64url.binary.k8s.io'),
  plain(''),
];

/** Carries a browser's token; never chosen. */
const BEARER_PREFIX = 'base64url.bearer.authorization.k8s.io.';
const HALF_CLOSE = 255;

/** The first that the client offers and we speak. @throws StatusError 400 when there is none. */
export function chooseSubprotocol(request: Request, spoken: readonly Subprotocol[]): Subprotocol {
  const offered = (request.headers.get('sec-websocket-protocol') ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '' && !each.startsWith(BEARER_PREFIX));
  for (const name of offered.length === 0 ? [''] : offered) {
    const chosen = spoken.find((each) => each.name === name);
    if (chosen !== undefined) return chosen;
  }
  const names = spoken.map((each) => each.name).filter((each) => each !== '');
  throw badRequest(
    `unable to upgrade: none of the subprotocols ${offered.join(', ')} is supported; supported are ${names.join(', ')}`,
  );
}

export type ChannelMessage =
  | { type: 'data'; channel: number; bytes: Uint8Array }
  | { type: 'end'; channel: number }
  | { type: 'nothing' };

const encoder = new TextEncoder();

export function decodeChannelMessage(protocol: Subprotocol, message: ArrayBuffer | string): ChannelMessage {
  const raw = typeof message === 'string' ? encoder.encode(message) : new Uint8Array(message);
  const [first] = raw;
  if (first === undefined) return { type: 'nothing' };
  if (protocol.halfClose && first === HALF_CLOSE && raw.length === 2) return { type: 'end', channel: raw[1] ?? 0 };
  const bytes = protocol.base64 ? bytesOfBase64(new TextDecoder().decode(raw.subarray(1))) : raw.subarray(1);
  const channel = protocol.base64 ? first - 0x30 : first;
  return bytes.length === 0 ? { type: 'nothing' } : { type: 'data', channel, bytes };
}

export function encodeChannelMessage(protocol: Subprotocol, channel: number, bytes: Uint8Array): Uint8Array | string {
  if (protocol.base64) return `${channel}${base64Of(bytes)}`;
  const message = new Uint8Array(1 + bytes.length);
  message[0] = channel;
  message.set(bytes, 1);
  return message;
}

const CHUNK = 8192;

export function base64Of(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** @throws StatusError 400 */
function bytesOfBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (error) {
    throw badRequest(`a message is not base64: ${String(error)}`);
  }
}
