/**
 * The control sockets of minions as they hibernate: what each has attached, which of them are joined, and how they are
 * spoken to and ended. What is said on them is `minions.ts`.
 */

import { forbidden } from '../../shared/errors.ts';
import type { Refused, Reported, Welcome } from '../../shared/link/protocol.ts';
import { nodeOfUser, type UserInfo } from '../users.ts';
import type { LinkSockets } from './minion-parts.ts';

/** The tag of every minion's control socket. */
export const MINION_TAG = 'minion';
export const nodeTag = (node: string) => `n:${node}`;

export const CLOSE = { normal: 1000, internal: 1011, restart: 1012, replaced: 4001, refused: 4003 } as const;

export interface Attachment {
  kind: 'minion';
  node: string;
  /** Of the token; undefined when it names no machine. */
  machineId?: string;
  connectedMs: number;
  /**
   * joining: no hello yet. welcoming: being answered. joined: gets deltas. left: goodbye, refused or replaced; its end is no
   * loss. recalled: given up, and the minion is called back.
   */
  phase: 'joining' | 'welcoming' | 'joined' | 'left' | 'recalled';
  /** How many messages of deltas were sent on this socket, and up to which revision. */
  told?: { messages: number; revision: number };
  /** Of what it was told and has not acknowledged: how much, and since when there is none or no more of it. */
  unheard?: { characters: number; sinceMs: number };
}

export class MinionSockets {
  private readonly sockets: LinkSockets;

  constructor(sockets: LinkSockets) {
    this.sockets = sockets;
  }

  /** Those that get deltas. */
  joined(node?: string): WebSocket[] {
    const sockets = this.open(node === undefined ? MINION_TAG : nodeTag(node));
    return sockets.filter(([, { phase }]) => phase === 'joined').map(([socket]) => socket);
  }

  /** Those that can be spoken to. */
  open(tag: string): [WebSocket, Attachment][] {
    return this.sockets.getWebSockets(tag).flatMap((socket): [WebSocket, Attachment][] => {
      const link = socket.readyState === WebSocket.OPEN ? attachmentOf(socket) : undefined;
      return link === undefined ? [] : [[socket, link]];
    });
  }

  /** When its minion was last heard from. */
  heardMs(socket: WebSocket, link: Attachment | undefined): number {
    const heartbeat = this.sockets.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    return Math.max(heartbeat, link?.connectedMs ?? 0);
  }
}

/** The node that may open one as this user. @throws StatusError 403 when it is none. */
export function nodeOf(user: UserInfo): string {
  const node = nodeOfUser(user);
  if (node !== undefined) return node;
  throw forbidden({ group: 'longshore.dev', resource: 'links' }, '', `User "${user.username}" is not a minion`);
}

/** What sockets have attached, as long as this instance lives: reading it anew of a thousand sockets is dear. */
const attached = new WeakMap<WebSocket, Attachment>();

export function attachmentOf(socket: WebSocket): Attachment | undefined {
  const known = attached.get(socket);
  if (known !== undefined) return known;
  const attachment = socket.deserializeAttachment() as Attachment | null;
  if (attachment?.kind !== 'minion') return undefined;
  attached.set(socket, attachment);
  return attachment;
}

export function save(socket: WebSocket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
  attached.set(socket, attachment);
}

/** A minion's last words are heard when its end is closed already, and there is nobody to answer them. */
export function send(socket: WebSocket, message: Welcome | Reported | Refused): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

export function close(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED || socket.readyState === WebSocket.CLOSING) return;
  // A close frame has room for 123 bytes.
  socket.close(code, reason.slice(0, 100));
}
