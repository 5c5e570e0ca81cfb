/**
 * The floor for a write or a read through workerd: a Worker that hands each request to one Durable Object, which does one
 * SQLite put (or get, or a stream of all values) and answers. No parsing, no routes, no authentication. Same TLS, same machine, same run.
 * A message on a socket of `?reports` is a report of pods' statuses: each becomes the two rows that a status takes, all of
 * them in one transaction, and nothing is looked at. Who asks for `?watch` gets every value that is put, over a socket between object and Worker, one send each: the naive way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';

const WORKER = `
import { DurableObject } from 'cloudflare:workers';
export class Bare extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec('CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
    this.sql.exec('CREATE TABLE IF NOT EXISTS log (revision INTEGER PRIMARY KEY, name TEXT, time_ms INTEGER, text TEXT)');
    this.sql.exec('CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, revision INTEGER) WITHOUT ROWID');
    this.revision = this.sql.exec('SELECT coalesce(max(revision), 0) AS newest FROM log').one().newest;
  }
  async fetch(request) {
    const { pathname: key, search } = new URL(request.url);
    if (search === '?list') return new Response(this.list());
    if (search === '?watch' || search === '?reports') {
      const { 0: theirs, 1: ours } = new WebSocketPair();
      this.ctx.acceptWebSocket(ours);
      return new Response(null, { status: 101, webSocket: theirs });
    }
    if (request.method === 'GET') {
      const [row] = this.sql.exec('SELECT value FROM kv WHERE key = ?', key).toArray();
      return row === undefined ? new Response('', { status: 404 }) : new Response(row.value);
    }
    const value = await request.text();
    this.sql.exec('INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)', key, value);
    for (const socket of this.ctx.getWebSockets()) socket.send(value);
    return new Response('ok');
  }
  webSocketMessage(socket, message) {
    const { id, pods, rest } = JSON.parse(message);
    this.ctx.storage.transactionSync(() => {
      for (const { name, status } of pods) {
        this.sql.exec('SELECT revision FROM objects WHERE name = ?', name).toArray();
        const text = rest + JSON.stringify(status);
        const revision = ++this.revision;
        this.sql.exec('INSERT INTO log (revision, name, time_ms, text) VALUES (?, ?, ?, ?)', revision, name, Date.now(), text);
        this.sql.exec('INSERT OR REPLACE INTO objects (name, revision) VALUES (?, ?)', name, revision);
      }
    });
    socket.send(JSON.stringify({ type: 'reported', id }));
  }
  list() {
    const { sql } = this;
    const encoder = new TextEncoder();
    let after = '';
    return new ReadableStream({
      pull(controller) {
        const rows = sql.exec('SELECT key, value FROM kv WHERE key > ? ORDER BY key LIMIT 500', after).toArray();
        if (rows.length === 0) return controller.close();
        after = rows.at(-1).key;
        controller.enqueue(encoder.encode(rows.map((row) => row.value).join(',')));
      },
    });
  }
}
async function watch(request, env, ctx) {
  const { webSocket } = await bare(env).fetch(request.url, { headers: { upgrade: 'websocket' } });
  const encoder = new TextEncoder();
  let gone;
  ctx.waitUntil(new Promise((resolve) => { gone = resolve; }));
  const body = new ReadableStream({
    start(controller) {
      webSocket.addEventListener('message', ({ data }) => controller.enqueue(encoder.encode(data + '\\n')));
      webSocket.addEventListener('close', () => { controller.close(); gone(); });
      webSocket.accept();
    },
    cancel() { webSocket.close(1000, 'gone'); gone(); },
  });
  return new Response(body);
}
const bare = (env) => env.BARE.get(env.BARE.idFromName('bare'));
export default {
  fetch: (request, env, ctx) => request.url.endsWith('?watch') ? watch(request, env, ctx) : bare(env).fetch(request),
};
`;

const config = (port: number, compatibilityDate: string) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "bare", worker = .worker),
    (name = "objects", disk = (path = "objects", writable = true)),
  ],
  sockets = [(name = "api", address = "127.0.0.1:${port}", service = "bare",
    https = (options = (), tlsOptions = (keypair = (privateKey = embed "key.pem", certificateChain = embed "certificate.pem"))))],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "${compatibilityDate}",
  durableObjectNamespaces = [(className = "Bare", uniqueKey = "bare", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [(name = "BARE", durableObjectNamespace = "Bare")],
);
`;

export interface BareObject {
  url: string;
  /** workerd's. */
  pid(): number | undefined;
  /** Starts it again on the same state; resolves at its first answer. */
  start(): Promise<void>;
  /** Ends it as a crash would. */
  end(): Promise<void>;
  /** Ends it and removes its state. */
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export async function startBareObject(options: {
  workerd: string;
  key: string;
  certificate: string;
  compatibilityDate: string;
}): Promise<BareObject> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-bare-'));
  mkdirSync(join(directory, 'objects'));
  copyFileSync(options.key, join(directory, 'key.pem'));
  copyFileSync(options.certificate, join(directory, 'certificate.pem'));
  writeFileSync(join(directory, 'worker.js'), WORKER);
  const port = await freePort();
  writeFileSync(join(directory, 'config.capnp'), config(port, options.compatibilityDate));
  const url = `https://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const end = async () => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  };
  const start = async () => {
    let said = '';
    child = spawn(options.workerd, ['serve', 'config.capnp'], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr?.on('data', (text: Buffer) => {
      said += text.toString('utf8');
    });
    const agent = new Agent({ rejectUnauthorized: false });
    try {
      await eventually('the bare object', () => answers(`${url}/nothing`, agent), {
        timeoutMs: 15_000,
        describe: () => said,
      });
    } finally {
      agent.destroy();
    }
  };
  // A run that is broken off leaves nothing behind.
  const last = () => {
    child?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', last);
  const stop = async () => {
    await end();
    process.off('exit', last);
    last();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pid: () => child?.pid, start, end, stop };
}

const answers = (url: string, agent: Agent): Promise<boolean> =>
  new Promise((resolve, reject) => {
    request(url, { agent }, (response) => {
      response.resume();
      resolve(response.statusCode === 404);
    })
      .once('error', reject)
      .end();
  });
