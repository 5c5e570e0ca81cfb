/**
 * Who is called back: minions whose heartbeats are answered, but of which it is not known that they have what they were told.
 * Their socket may carry nothing any more, not even its own end; what surely reaches them is the platform's answer to their
 * heartbeats. So it names them until they are back. It is kept by the platform, and is all that is kept.
 */
import { PING, PONG, type Recall as RecallMessage } from '../../shared/link/protocol.ts';
import type { LinkSockets } from './minion-parts.ts';

/** Durable Objects: how long an automatic answer may be. */
const MAX_CHARACTERS = 2048;

export class Recall {
  private readonly sockets: LinkSockets;

  constructor(sockets: LinkSockets) {
    this.sockets = sockets;
    // An instance before this one may have called some back.
    if (sockets.getWebSocketAutoResponse()?.request !== PING) this.answer(PONG);
  }

  /** False when there is no room for one more: then it is for later. */
  add(node: string): boolean {
    const nodes = this.nodes();
    if (nodes.includes(node)) return true;
    const text = textOf([...nodes, node]);
    if (text.length > MAX_CHARACTERS) return false;
    this.answer(text);
    return true;
  }

  /** It is back, or its socket has ended. */
  remove(node: string): void {
    const nodes = this.nodes();
    if (!nodes.includes(node)) return;
    const left = nodes.filter((each) => each !== node);
    this.answer(left.length > 0 ? textOf(left) : PONG);
  }

  private nodes(): string[] {
    const text = this.sockets.getWebSocketAutoResponse()?.response ?? PONG;
    return text === PONG ? [] : (JSON.parse(text) as RecallMessage).nodes;
  }

  private answer(text: string): void {
    this.sockets.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, text));
  }
}

const textOf = (nodes: string[]): string => JSON.stringify({ type: 'recall', nodes } satisfies RecallMessage);
