/**
 * The control sockets of minions in the Cluster object: hello, welcome, deltas, reports. All sockets hibernate; what must
 * outlive this instance is in their attachments. What a delta holds is in `deltas.ts`, what a hello and a report do to
 * objects in `registration.ts` and `reports.ts`; what becomes of a node whose minion went is `worker/controllers`' to say.
 */
import type { Node } from '../../shared/api/core.ts';
import type { Status } from '../../shared/api/meta.ts';
import { badRequest, forbidden, StatusError } from '../../shared/errors.ts';
import {
  type Hello,
  LINK_VERSION,
  type Refused,
  type Report,
  type Reported,
  type UpMessage,
  type Welcome,
} from '../../shared/link/protocol.ts';
import type { Change, Synchronous } from '../store/store.ts';
import { type UserInfo, userOfNode } from '../users.ts';
import { bufferedBytes } from './client-socket.ts';
import { type Delta, deltaMessages, isEmpty, ownChanges, PeerMemory, sharedChanges, snapshot } from './deltas.ts';
import { answered, JudgedSteps } from './judged.ts';
import type { MinionParts } from './minion-parts.ts';
import {
  type Attachment,
  attachmentOf,
  CLOSE,
  close,
  MINION_TAG,
  MinionSockets,
  nodeOf,
  nodeTag,
  save,
  send,
} from './minion-sockets.ts';
import { Recall } from './recall.ts';
import { RecentChanges } from './recent-changes.ts';
import { registerNode } from './registration.ts';
import { type Outcome, ReportTurn } from './report-turn.ts';
import { type Applied, applyReport } from './reports.ts';
import { MalformedMessage, parseUpMessage } from './up-messages.ts';

/** In the token's UserInfo.extra: the machine that it was given to. */
const MACHINE_EXTRA = 'longshore.dev/machine-id';

/** Beyond this the minion reads too slowly: it is cut off and resumes from what it acknowledged. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
/** A minion that is heard from so long after it was told something, and has not acknowledged it, did not get it … */
const ACKNOWLEDGED_MS = 30_000;
/** … unless it was much: the slowest link that is counted with, about 64 kB/s. */
const CHARACTERS_PER_MS = 64;

export class Minions {
  private readonly parts: MinionParts;
  private readonly sockets: MinionSockets;
  /** A memory that may be lost at any time. */
  private readonly peers = new PeerMemory();
  private readonly recent: RecentChanges;
  private readonly recall: Recall;
  /** Revisions that a minion's own report wrote, until they are published. */
  private readonly echoes = new Set<number>();
  private readonly reports: ReportTurn;
  /** When minions that are gone were last heard from; a memory that may be lost. */
  private readonly lastSeen = new Map<string, number>();

  private readonly steps: JudgedSteps;

  constructor(parts: MinionParts) {
    this.parts = parts;
    this.sockets = new MinionSockets(parts.sockets);
    this.steps = new JudgedSteps(parts.webhooks);
    this.recent = new RecentChanges(parts.reader);
    this.reports = new ReportTurn(parts, this.echoes);
    this.recall = new Recall(parts.sockets);
  }

  /** The upgrade of LINK_PATH. @throws StatusError 403 for anybody but a minion. */
  accept(user: UserInfo): Response {
    const node = nodeOf(user);
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.parts.sockets.acceptWebSocket(ours, [MINION_TAG, nodeTag(node)]);
    const machineId = user.extra?.[MACHINE_EXTRA]?.[0];
    save(ours, {
      kind: 'minion',
      node,
      ...(machineId === undefined ? {} : { machineId }),
      connectedMs: this.parts.nowMs(),
      phase: 'joining',
    });
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Whether a socket of the object is one of these. */
  owns(socket: WebSocket): boolean {
    return attachmentOf(socket) !== undefined;
  }

  /** Resolves when it is handled: a report is with others that come at the same time. */
  async message(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const link = attachmentOf(socket);
    // What comes after the last word on either side is not heard.
    if (link === undefined || link.phase === 'left' || link.phase === 'recalled') return;
    try {
      await this.dispatch(socket, link, parseUpMessage(message));
    } catch (error) {
      this.failed(socket, link, error);
    }
  }

  /** The socket was closed or broke. */
  closed(socket: WebSocket): void {
    this.reports.flush();
    const link = attachmentOf(socket);
    // Answers the other side's close; of a broken socket it ends what is left.
    if (socket.readyState !== WebSocket.CLOSED) socket.close(CLOSE.normal, '');
    if (link?.phase === 'recalled') this.recall.remove(link.node);
    if (link === undefined || link.phase !== 'joined') return;
    const { node } = link;
    save(socket, { ...link, phase: 'left' });
    if (this.sockets.joined(node).length > 0) return;
    this.lastSeen.set(node, this.sockets.heardMs(socket, link));
    this.parts.transact((objects) => this.parts.nodes.socketLost(objects, node));
  }

  /** Tells every minion what of this concerns it. Call after each commit, with its changes in order. */
  publish(changes: readonly Change[]): void {
    const news = changes.filter((change) => !this.echoes.delete(change.revision));
    const last = changes.at(-1);
    if (last === undefined || news.length === 0) return;
    const sockets = this.sockets.joined();
    if (sockets.length === 0) return;
    const shared = sharedChanges(news, this.peers);
    for (const socket of sockets) {
      const link = attachmentOf(socket);
      if (link === undefined) continue;
      const own = ownChanges(this.parts.reader, link.node, news);
      if (isEmpty(own) && isEmpty(shared)) continue;
      try {
        this.tell(socket, link, last.revision, false, [own, shared]);
      } catch (error) {
        // It comes back for what it was not told; the others are told all the same.
        this.fail(socket, link, error);
      }
    }
    for (const change of news) {
      if (change.resource !== 'nodes' || change.type !== 'DELETED') continue;
      for (const socket of this.sockets.joined(change.name)) this.leave(socket, CLOSE.restart, 'the Node was deleted');
    }
  }

  /**
   * Gives up the sockets on which something was lost: heartbeats go on, but what was told is not acknowledged; or sending has
   * failed, and nobody heard of the socket's end. Their minions dial anew and get it by delta.
   */
  callBack(): void {
    for (const socket of this.parts.sockets.getWebSockets(MINION_TAG)) {
      const link = attachmentOf(socket);
      if (link?.phase !== 'joined' || !this.isBroken(socket, link)) continue;
      const { node, unheard } = link;
      const isBack = this.sockets.joined(node).some((each) => each !== socket);
      if (!isBack && !this.recall.add(node)) continue;
      console.log(JSON.stringify({ level: 'warn', room: 'links', node, broken: unheard ?? null }));
      this.giveUp(socket, link, CLOSE.restart, 'not all that was told was acknowledged');
    }
  }

  /** Its end may not get through, so its minion is to be called back as well. */
  private giveUp(socket: WebSocket, link: Attachment, code: number, reason: string): void {
    close(socket, code, reason);
    this.closed(socket);
    save(socket, { ...link, phase: 'recalled' });
  }

  private isBroken(socket: WebSocket, link: Attachment): boolean {
    // Durable Objects: a socket that failed to send is closed for its object, before or without an event that says so.
    if (socket.readyState !== WebSocket.OPEN) return socket.readyState === WebSocket.CLOSED;
    const { unheard } = link;
    if (unheard === undefined) return false;
    const patienceMs = ACKNOWLEDGED_MS + unheard.characters / CHARACTERS_PER_MS;
    return this.sockets.heardMs(socket, link) - unheard.sinceMs >= patienceMs;
  }

  /** Whether the minion's control socket is up, and welcomed or about to be. */
  connected(node: string): boolean {
    return this.sockets.open(nodeTag(node)).some(([, { phase }]) => phase === 'welcoming' || phase === 'joined');
  }

  /** How many are joined. */
  count(): number {
    const nodes = this.sockets.open(MINION_TAG).flatMap(([, { phase, node }]) => (phase === 'joined' ? [node] : []));
    return new Set(nodes).size;
  }

  /** Who is joined, and when each was last heard from. */
  all(): Map<string, number> {
    const found = new Map<string, number>();
    for (const [socket, link] of this.sockets.open(MINION_TAG)) {
      if (link.phase !== 'joined') continue;
      found.set(link.node, Math.max(this.sockets.heardMs(socket, link), found.get(link.node) ?? 0));
    }
    return found;
  }

  /** When the minion was last heard from; undefined when this instance does not know. */
  lastSeenMs(node: string): number | undefined {
    const heard = this.sockets.joined(node).map((socket) => this.sockets.heardMs(socket, attachmentOf(socket)));
    return heard.length > 0 ? Math.max(...heard) : this.lastSeen.get(node);
  }

  private dispatch(socket: WebSocket, link: Attachment, message: UpMessage): Promise<void> | undefined {
    if (message.type !== 'hello' && link.phase === 'joining') {
      throw badRequest(`the first message must be hello, not ${message.type}`);
    }
    if (message.type === 'report') return this.report(socket, link, message);
    if (message.type === 'acknowledge') {
      this.acknowledged(socket, link, message.revision);
      return undefined;
    }
    this.reports.flush();
    if (message.type === 'hello') this.hello(socket, link, message);
    else this.goodbye(socket, link, message.reason);
    return undefined;
  }

  private hello(socket: WebSocket, link: Attachment, hello: Hello): void {
    const { node } = link;
    if (hello.version !== LINK_VERSION) {
      throw badRequest(
        `the minion speaks version ${hello.version} of the link, this cluster ${LINK_VERSION}: update it`,
      );
    }
    if (hello.node !== node) {
      throw forbidden({ group: '', resource: 'nodes' }, hello.node, `the token is of node '${node}'`);
    }
    if (link.machineId !== undefined && link.machineId !== hello.machineId) {
      throw forbidden({ group: '', resource: 'nodes' }, node, 'the token was given to another machine');
    }
    save(socket, { ...link, phase: 'welcoming' });
    const { transact, nodes } = this.parts;
    this.steps.run<Node>(
      node,
      (journal) =>
        transact((objects) => {
          const written = transact(
            (judged) => answered(journal, () => registerNode(judged, hello, nodes)) as Synchronous<Node>,
            { journal, shownUser: userOfNode(node) },
          );
          // What follows from its return is the cluster's own doing.
          nodes.returned(objects, written);
          return written as Synchronous<Node>;
        }),
      {
        done: (written) => this.welcome(socket, hello, written),
        failed: (error) => this.failed(socket, attachmentOf(socket) ?? link, error),
      },
    );
  }

  private welcome(socket: WebSocket, hello: Hello, written: Node): void {
    const { node } = hello;
    const link = attachmentOf(socket);
    if (link === undefined || link.phase === 'left' || socket.readyState !== WebSocket.OPEN) {
      // It left while its hello was judged.
      if (this.sockets.joined(node).length === 0)
        this.parts.transact((objects) => this.parts.nodes.socketLost(objects, node));
      return;
    }
    for (const old of this.sockets.joined(node)) if (old !== socket) this.leave(old, CLOSE.replaced, 'connected anew');
    this.lastSeen.delete(node);
    this.recall.remove(node);
    const { reader, cluster } = this.parts;
    send(socket, {
      type: 'welcome',
      version: LINK_VERSION,
      epoch: reader.epoch,
      cluster,
      nodeCIDR: written.spec.podCIDR ?? '',
    } satisfies Welcome);
    const joined: Attachment = { ...link, phase: 'joined' };
    save(socket, joined);
    const deltas = this.resumed(node, hello.resume);
    this.tell(socket, joined, reader.revision, deltas === undefined, deltas ?? [snapshot(reader, node)]);
  }

  /** What changed since the minion's revision; undefined when that is not known any more. */
  private resumed(node: string, resume: Hello['resume']): Delta[] | undefined {
    const { reader } = this.parts;
    if (resume === undefined || resume.epoch !== reader.epoch || resume.revision > reader.revision) return undefined;
    // Compacted: the whole picture it is.
    if (resume.revision < reader.compactedRevision) return undefined;
    const changes = this.recent.since(resume.revision, node);
    return [ownChanges(reader, node, changes), sharedChanges(changes)];
  }

  private report(socket: WebSocket, link: Attachment, report: Report): Promise<void> | undefined {
    const { node } = link;
    const told = (outcome: Outcome): void => {
      if ('error' in outcome) {
        this.failed(socket, attachmentOf(socket) ?? link, outcome.error);
        return;
      }
      const { id } = report;
      const { refused } = outcome.applied;
      send(socket, { type: 'reported', id, ...(refused.length > 0 ? { refused } : {}) } satisfies Reported);
    };
    if (!this.steps.mayWait(node)) return this.reports.take(node, report, told);
    // What webhooks may have to judge goes by itself, behind what came before it.
    this.reports.flush();
    this.steps.run<Applied>(
      node,
      (journal) =>
        this.parts.transact(
          (objects) => {
            const applied = answered(journal, () => applyReport(objects, node, report));
            for (const revision of applied.echoes) this.echoes.add(revision);
            return applied as Synchronous<Applied>;
          },
          { journal, shownUser: userOfNode(node) },
        ),
      {
        done: (applied) => {
          // Published by now, or dropped when nothing listens.
          for (const revision of applied.echoes) this.echoes.delete(revision);
          told({ applied });
        },
        failed: (error) => told({ error }),
      },
    );
    return undefined;
  }

  private acknowledged(socket: WebSocket, link: Attachment, revision: number): void {
    const { unheard, ...rest } = link;
    const isAll = unheard === undefined || revision === link.told?.revision;
    save(socket, isAll ? rest : { ...rest, unheard: { ...unheard, sinceMs: this.parts.nowMs() } });
  }

  private goodbye(socket: WebSocket, link: Attachment, reason: string): void {
    this.leave(socket, CLOSE.normal, 'goodbye');
    this.parts.transact((objects) => this.parts.nodes.goodbye(objects, link.node, reason));
  }

  private failed(socket: WebSocket, link: Attachment, error: unknown): void {
    if (error instanceof MalformedMessage) this.malformed(socket, link, error);
    else if (error instanceof StatusError) this.refuse(socket, link, error.status);
    else this.fail(socket, link, error);
  }

  private refuse(socket: WebSocket, link: Attachment, status: Status): void {
    send(socket, { type: 'refused', status } satisfies Refused);
    save(socket, { ...link, phase: 'left' });
    close(socket, CLOSE.refused, status.message ?? 'refused');
  }

  private malformed(socket: WebSocket, link: Attachment, { code, message }: MalformedMessage): void {
    console.warn(JSON.stringify({ level: 'warn', room: 'links', node: link.node, malformed: message }));
    close(socket, code, message);
    this.closed(socket);
    // Of a minion that has not joined nothing is lost, but what it said next must not be heard either.
    save(socket, { ...link, phase: 'left' });
  }

  private fail(socket: WebSocket, link: Attachment, error: unknown): void {
    const stack = error instanceof Error ? error.stack : String(error);
    console.error(JSON.stringify({ level: 'error', room: 'links', node: link.node, error: stack }));
    this.recall.add(link.node);
    this.giveUp(socket, link, CLOSE.internal, 'internal error');
  }

  private leave(socket: WebSocket, code: number, reason: string): void {
    const link = attachmentOf(socket);
    if (link !== undefined) save(socket, { ...link, phase: 'left' });
    close(socket, code, reason);
  }

  private tell(socket: WebSocket, link: Attachment, revision: number, full: boolean, deltas: readonly Delta[]): void {
    if (bufferedBytes(socket) > MAX_BUFFERED_BYTES) {
      close(socket, CLOSE.restart, 'the minion reads too slowly');
      this.closed(socket);
      return;
    }
    let messages = link.told?.messages ?? 0;
    let { characters, sinceMs } = link.unheard ?? { characters: 0, sinceMs: this.parts.nowMs() };
    for (const message of deltaMessages({ revision, full, firstNumber: messages + 1 }, deltas)) {
      socket.send(message);
      messages++;
      characters += message.length;
    }
    save(socket, { ...link, told: { messages, revision }, unheard: { characters, sinceMs } });
    if (full) console.log(JSON.stringify({ level: 'info', room: 'links', node: link.node, full: revision }));
  }
}
