/**
 * Durable Object Cluster: composition root of one cluster's control plane. Builds the parts and connects them; what they do
 * is in their rooms. After any handler returns, dropping this object from memory loses nothing.
 */
import { DurableObject } from 'cloudflare:workers';
import { SERVICES } from '../shared/api/core.ts';
import { DEFAULTS } from '../shared/defaults.ts';
import { notFound, StatusError, unauthorized } from '../shared/errors.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';
import { configuredAuthority } from './controllers/certificate-authority.ts';
import { deliver, NO_HOOK } from './controllers/hook-delivery.ts';
import { createHookInbox } from './controllers/hook-inbox.ts';
import { createNodeLife } from './controllers/node-life.ts';
import { createNodeRounds, type NodeRounds } from './controllers/node-rounds.ts';
import type { Liveness } from './controllers/surroundings.ts';
import type { Env } from './env.ts';
import { trustOf } from './http/authentication.ts';
import type { BackupParts } from './http/backups.ts';
import { bootstrapUser } from './http/bootstrap-tokens.ts';
import { answerClusterRequest, type ClusterParts } from './http/cluster-routes.ts';
import { GroupCommit } from './http/group-commit.ts';
import { impersonate } from './http/impersonation.ts';
import { podFor, proxyFor, usageFor } from './http/locating.ts';
import { assetDescriptions } from './http/openapi-descriptions.ts';
import { armRewind, recallRewind, rememberRewind } from './http/rewind.ts';
import { whyTokenEnded } from './http/token-status.ts';
import { askWebhooks } from './http/webhook-calls.ts';
import { KeyspaceWatches } from './links/keyspace-watches.ts';
import { locateService } from './links/locate.ts';
import { locateProxy } from './links/locate-proxy.ts';
import { MINION_TAG } from './links/minion-sockets.ts';
import { Minions } from './links/minions.ts';
import { Watches } from './links/watches.ts';
import type { WebhookClient } from './links/webhook-call.ts';
import { postToWebhook, type WebhookTransportParts } from './links/webhook-transport.ts';
import {
  CLUSTER_HEADER,
  type ClusterRpc,
  type HookDelivery,
  type Impersonation,
  type Outcome,
  type ServiceLocation,
} from './rpc.ts';
import { COMPACTION, compactHistory } from './store/compaction.ts';
import { type GatedSql, gatedSql } from './store/gated-sql.ts';
import { objectSql } from './store/object-sql.ts';
import { isEmpty } from './store/schema.ts';
import type { UserInfo } from './users.ts';

const NAME_KEY = 'cluster-name';
const CONNECTED_KEY = 'connected-minions';

type Parts = ClusterParts & { plane: ControlPlane; rounds: NodeRounds; sql: GatedSql };

/** So long after its last look the history that a backup needs stays. */
const HELD_MS = 60_000;
/** More than ever were connected: every node is looked at, whether its minion is there. */
const MANY_MINIONS = Number.MAX_SAFE_INTEGER;

export class Cluster extends DurableObject<Env> implements ClusterRpc {
  #parts: Parts | undefined;
  readonly #commits = new GroupCommit();
  /** When the alarm is set for, as far as this instance knows. */
  #alarmMs: number | null = null;
  /** The alarm is being handled: that none is set means nothing then. */
  #isRinging = false;
  /** How many transactions there had been when a turn last ended properly; none yet. */
  #endedAt = -1;
  /** The newest revision that this instance wrote. */
  #writtenRevision = 0;
  /** The revision at which history was last looked through, as far as this instance knows. */
  #compactedAt = 0;
  /** History stays until then, for a backup that is being read. */
  #heldUntilMs = 0;
  /** The next instance finds other tables: this one is not to answer any more. */
  #isOver = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmMs = await ctx.storage.getAlarm();
    });
  }

  override async fetch(request: Request): Promise<Response> {
    const parts = this.#compose(request.headers.get(CLUSTER_HEADER) ?? undefined);
    try {
      return await this.#commits.during(() => answerClusterRequest(parts, request));
    } finally {
      await this.#endTurn();
    }
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const parts = this.#compose();
    if (parts.minions.owns(socket)) await parts.minions.message(socket, message);
    else if (parts.keyspace.owns(socket)) parts.keyspace.message(socket, message);
    else if (parts.watches.owns(socket)) parts.watches.message(socket, message);
    await this.#endTurn();
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    await this.#socketEnded(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#socketEnded(socket);
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    this.#alarmMs = null;
    this.#isRinging = true;
    const parts = this.#compose();
    this.#isRinging = false;
    const { plane, rounds } = parts;
    plane.drain();
    const isRound = plane.registry.asSystem((objects, transaction) =>
      rounds.alarm(objects, transaction, info?.scheduledTime),
    );
    if (isRound) parts.minions.callBack();
    await this.#endTurn();
  }

  // ---- Who asks --------------------------------------------------------------------------------------------------

  async bootstrapUser(token: string): Promise<UserInfo | undefined> {
    if (!this.#exists()) return undefined;
    return bootstrapUser(this.#compose().plane.store, token, Date.now());
  }

  async impersonate(user: UserInfo, asked: Impersonation): Promise<Outcome<UserInfo>> {
    const { plane } = this.#compose();
    return outcomeOf(() => {
      if (whyTokenEnded(user, plane.store, Date.now()) !== undefined) throw unauthorized();
      return impersonate(user, asked, plane.store);
    });
  }

  // ---- What the Worker asks for, besides REST -----------------------------------------------------------------------

  async locatePod(user: UserInfo, asked: Parameters<ClusterRpc['locatePod']>[1]) {
    const parts = this.#compose();
    return outcomeOf(() => podFor(parts, user, asked));
  }

  async locateProxy(user: UserInfo, asked: Parameters<ClusterRpc['locateProxy']>[1]) {
    const parts = this.#compose();
    return outcomeOf(() => proxyFor(parts, user, asked));
  }

  async locateUsage(user: UserInfo, asked: Parameters<ClusterRpc['locateUsage']>[1]) {
    const parts = this.#compose();
    return outcomeOf(() => usageFor(parts, user, asked));
  }

  async locateService(asked: { namespace: string; name: string; port?: number }): Promise<Outcome<ServiceLocation>> {
    if (!this.#exists()) return { ok: false, status: notFound(SERVICES, asked.name).status };
    const { plane } = this.#compose();
    return outcomeOf(() => plane.registry.asSystem((objects) => locateService(objects, asked)));
  }

  async deliver(delivery: HookDelivery): Promise<{ code: number; message: string }> {
    if (!this.#exists()) return NO_HOOK;
    const parts = this.#compose();
    const { plane } = parts;
    const inbox = createHookInbox(objectSql(this.ctx.storage));
    try {
      return await deliver(
        { transact: (body) => plane.registry.asSystem((objects) => body(objects), 'longshore-hooks'), inbox },
        delivery,
      );
    } finally {
      await this.#endTurn();
    }
  }

  /** Anybody can name a cluster, and that must not make one: asked before what needs no token. */
  #exists(): boolean {
    return this.#parts !== undefined || !isEmpty(objectSql(this.ctx.storage));
  }

  // ---- Composition ---------------------------------------------------------------------------------------------------

  #name(given: string | undefined): string {
    const { kv } = this.ctx.storage;
    const known = this.ctx.id.name ?? kv.get<string>(NAME_KEY);
    if (known !== undefined) return known;
    if (given !== undefined) kv.put(NAME_KEY, given);
    return given ?? DEFAULTS.clusterName;
  }

  #compose(given?: string): Parts {
    if (this.#isOver) this.ctx.abort('the cluster is set back to an earlier time');
    if (this.#parts !== undefined) return this.#parts;
    const before = recallRewind(this.ctx.id.toString());
    if (before !== undefined) {
      this.#build(given).plane.restore.rewound(before);
      this.#startOver();
    }
    return this.#build(given);
  }

  #build(given: string | undefined): Parts {
    const { ctx, env } = this;
    const name = this.#name(given);
    const nowMs = () => Date.now();
    const liveness: Liveness = {
      connected: (node) => minions.connected(node),
      count: () => minions.count(),
      minions: () => minions.all(),
      lastSeenMs: (node) => minions.lastSeenMs(node),
      drop: (node) => {
        for (const socket of ctx.getWebSockets(`n:${node}`)) socket.close(4002, 'silent for too long');
      },
    };
    const log = (entry: Record<string, unknown>) => console.log(JSON.stringify({ cluster: name, ...entry }));
    const asking: NonNullable<Parameters<typeof createControlPlane>[0]['webhooks']> = {
      ask: (questions, journal) => askWebhooks(webhooks, questions, journal),
      follow: (step) => void step.then(() => this.#endTurn()),
    };
    const sql = gatedSql(objectSql(ctx.storage));
    const plane = createControlPlane({
      sql,
      nowMs,
      random: Math.random,
      newUid: () => crypto.randomUUID(),
      cluster: {
        name,
        publicUrl: env.PUBLIC_URL,
        apiUrl: name === DEFAULTS.clusterName ? env.API_URL : `${env.API_URL}/clusters/${name}`,
        apiAddress: env.API_ADDRESS,
        caCertificate: env.CA_CERTIFICATE,
        authority: () => configuredAuthority(env.CA_CERTIFICATE, env.CA_KEY),
      },
      liveness,
      log,
      webhooks: asking,
    });
    const { registry, store, catalog } = plane;
    const rounds = createNodeRounds(liveness, {
      get: () => ctx.storage.kv.get<number>(CONNECTED_KEY),
      put: (count) => ctx.storage.kv.put(CONNECTED_KEY, count),
    });
    const minions = new Minions({
      sockets: ctx,
      reader: store,
      transact: (body, more) => registry.asSystem((objects) => body(objects), 'kubelet', more),
      webhooks: { ...asking, exist: () => registry.hasWebhooks },
      nodes: createNodeLife(
        (queue, key, dueMs) => registry.asSystem((_, transaction) => transaction.enqueue(queue, key, dueMs)),
        (item) => store.finishWork(item),
        rounds,
      ),
      cluster: {
        name,
        domain: DEFAULTS.clusterDomain,
        dnsIP: DEFAULTS.dnsIP,
        serviceCIDR: DEFAULTS.serviceCIDR,
        podCIDR: DEFAULTS.podCIDR,
      },
      nowMs,
      later: (step) => void setTimeout(step, 0),
    });
    // Whoever is connected is watched over, even if the platform gave up on an alarm that failed too often.
    const isUnwatched = this.#alarmMs === null && !this.#isRinging;
    if (isUnwatched && ctx.getWebSockets(MINION_TAG).length > 0) rounds.arriving(nowMs());
    const transport: WebhookTransportParts = {
      env,
      cluster: name,
      locate: ({ namespace, name: service, port }) =>
        registry.asSystem((objects) =>
          locateProxy(objects, { resource: 'services', namespace, name: `https:${service}:${port}` }),
        ),
      anyMinion: () =>
        anyOf(store.list({ resource: 'nodes' }).items, ({ name: node }) => minions.connected(node))?.name,
      fetch: (url, init) => fetch(url, init),
    };
    const webhooks: WebhookClient = {
      newUid: () => crypto.randomUUID(),
      post: (call) => postToWebhook(transport, call),
    };
    const watches = new Watches({
      sockets: ctx,
      reader: store,
      catalog,
      nowMs,
      later: (step) => void setTimeout(step, 0),
      atTurnEnd: (step) => queueMicrotask(step),
      webhooks,
      log,
    });
    const keyspace = new KeyspaceWatches({ sockets: ctx, rpc: plane.keyspace });
    store.onCommit((changes) => {
      this.#writtenRevision = changes.at(-1)?.revision ?? this.#writtenRevision;
      watches.publish(changes);
      minions.publish(changes);
    });
    plane.bootstrap();
    this.#parts = {
      plane,
      rounds,
      sql,
      registry,
      catalog,
      ...trustOf(env, name),
      cluster: name,
      nowMs,
      commits: this.#commits,
      minions,
      watches,
      keyspace,
      backups: this.#backups(plane, sql, name),
      describe: assetDescriptions(env.ASSETS),
      webhooks,
    };
    return this.#parts;
  }

  #backups({ store, restore }: ControlPlane, sql: GatedSql, cluster: string): BackupParts {
    return {
      cluster,
      sql,
      store,
      restore,
      nowMs: () => Date.now(),
      reading: () => {
        this.#heldUntilMs = Date.now() + HELD_MS;
      },
      restored: () => this.#startOver(),
      rewind: async (timeMs) => {
        await armRewind(this.ctx.storage, timeMs, Date.now());
        const seen = restore.seen();
        rememberRewind(this.ctx.id.toString(), seen);
        sql.close();
        this.#isOver = true;
        return seen;
      },
      rewound: (before) => {
        const begun = restore.rewound(before);
        this.#startOver();
        return begun;
      },
    };
  }

  /** The tables hold another history: nothing that was made of the one before may go on, and everybody comes anew. */
  #startOver(): void {
    this.#parts?.sql.close();
    this.#parts = undefined;
    this.#endedAt = -1;
    this.#writtenRevision = 0;
    this.#compactedAt = 0;
    this.ctx.storage.kv.put(CONNECTED_KEY, MANY_MINIONS);
    for (const socket of this.ctx.getWebSockets()) {
      if (socket.readyState === WebSocket.OPEN) socket.close(1012, 'the cluster was restored');
    }
  }

  async #socketEnded(socket: WebSocket): Promise<void> {
    const parts = this.#compose();
    const { minions, watches, keyspace } = parts;
    if (minions.owns(socket)) minions.closed(socket);
    else if (keyspace.owns(socket)) keyspace.closed(socket);
    else watches.closed(socket);
    await this.#endTurn();
  }

  /** After each turn: a step of compaction when enough was written, and the alarm for what is due later. */
  async #endTurn(): Promise<void> {
    if (this.#isOver) return;
    const { plane, rounds } = this.#compose();
    const { transactions } = plane.store;
    rounds.settle();
    // A turn that only read leaves nothing to see to.
    if (transactions === this.#endedAt) return;
    this.#endedAt = transactions;
    const revision = this.#writtenRevision;
    if (revision - this.#compactedAt >= COMPACTION.stepRevisions && Date.now() >= this.#heldUntilMs) {
      this.#compactedAt = revision;
      compactHistory(plane.store, Date.now());
    }
    // Setting the alarm is a written row, so an earlier one stays.
    const dueMs = earliest(plane.store.nextDueMs(), rounds.dueMs());
    if (dueMs === undefined || (this.#alarmMs !== null && this.#alarmMs <= dueMs)) return;
    this.#alarmMs = dueMs;
    await this.ctx.storage.setAlarm(dueMs);
  }
}

function anyOf<T>(items: Iterable<T>, matches: (item: T) => boolean): T | undefined {
  for (const item of items) if (matches(item)) return item;
  return undefined;
}

const earliest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

async function outcomeOf<T>(body: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await body() };
  } catch (error) {
    if (error instanceof StatusError) return { ok: false, status: error.status };
    throw error;
  }
}
