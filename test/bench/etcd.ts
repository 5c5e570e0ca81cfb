/**
 * etcd itself, the store that a Kubernetes apiserver writes to: Debian's `etcd-server` as a process of its own, on loopback,
 * with a data directory of its own, spoken to as clients do, by gRPC. One HTTP/2 session a connection.
 * Source: etcd's rpc.proto, KV.Put.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { eventually } from '../support/eventually.ts';
import { freePorts } from '../support/longshore.ts';
import { drive, type LoadResult, requireAll } from './load.ts';

/** Debian's package etcd-server has it. */
const COMMAND = 'etcd';
const PUT = '/etcdserverpb.KV/Put';
const GRPC_HEADER_BYTES = 5;
const OK = 0;

export interface Etcd {
  /** Puts of this value, over so many connections. @throws when one is refused. */
  put(options: { connections: number; requests: number; value(index: number): string }): Promise<LoadResult>;
  stop(): Promise<void>;
}

export async function startEtcd(): Promise<Etcd> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-etcd-'));
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const child = spawn(COMMAND, argumentsOf(directory, url, peerUrl), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString('utf8')).slice(-4000);
  });
  child.once('error', (error) => {
    said = `${error.message} (Debian's package etcd-server has it)`;
  });
  const sessions: ClientHttp2Session[] = [];
  // A run that is broken off leaves nothing behind.
  const last = () => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', last);
  const stop = async () => {
    for (const session of sessions) session.destroy();
    await ended(child);
    process.off('exit', last);
    last();
  };
  const session = (connection: number): ClientHttp2Session => {
    let found = sessions[connection];
    if (found === undefined || found.destroyed || found.closed) {
      found = connect(url);
      // What is under way on it fails with the same error; a put on a new one may succeed.
      found.on('error', () => undefined);
      sessions[connection] = found;
    }
    return found;
  };
  try {
    await eventually('etcd', async () => (await put(session(0), '/ready', '')) === OK, {
      timeoutMs: 20_000,
      describe: () => said,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async put({ connections, requests, value }) {
      const send = (index: number, connection: number) =>
        put(session(connection), `/bench/${index % connections}`, value(index));
      const result = await drive({ connections, requests, send });
      requireAll('etcd', result, OK);
      return result;
    },
    stop,
  };
}

const argumentsOf = (directory: string, url: string, peerUrl: string): string[] => [
  '--name=bench',
  `--data-dir=${directory}`,
  `--listen-client-urls=${url}`,
  `--advertise-client-urls=${url}`,
  `--listen-peer-urls=${peerUrl}`,
  `--initial-advertise-peer-urls=${peerUrl}`,
  `--initial-cluster=bench=${peerUrl}`,
  '--logger=zap',
  '--log-level=error',
];

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

/** One put; resolves to its gRPC status. */
function put(session: ClientHttp2Session, key: string, value: string): Promise<number> {
  const message = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(key)
    .tag(2, WireType.LengthDelimited)
    .string(value)
    .finish();
  const frame = Buffer.alloc(GRPC_HEADER_BYTES + message.byteLength);
  frame.writeUInt32BE(message.byteLength, 1);
  frame.set(message, GRPC_HEADER_BYTES);
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': PUT,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status = -1;
    const look = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status']);
    };
    stream.on('response', look);
    stream.on('trailers', look);
    stream.once('error', reject);
    stream.once('end', () => resolve(status));
    stream.resume();
    stream.end(frame);
  });
}
