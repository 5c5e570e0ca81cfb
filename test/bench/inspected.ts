/**
 * workerd once more on a control plane's state and configuration, this time with an inspector, which tells what the heap
 * of its isolate holds and where its time goes (`profile.ts`). The control plane proper must be down.
 * Source: https://chromedevtools.github.io/devtools-protocol/v8/
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { eventually } from '../support/eventually.ts';
import { type ControlPlane, freePorts } from '../support/longshore.ts';

export interface Heap {
  usedBytes: number;
  /** ArrayBuffers, which are beside it. */
  buffersBytes: number;
}

export interface Inspected {
  heap(): Promise<Heap>;
  /** Everything that nobody refers to is gone after it. */
  collectGarbage(): Promise<void>;
  /** One call of the protocol, for what is not here. */
  send(method: string, parameters?: object): Promise<unknown>;
  /** Whether it still runs: out of memory, V8 ends the process. */
  alive(): boolean;
  /** The end of what it said. */
  log(): string;
  stop(): Promise<void>;
}

/** @param mostMegabytes V8 may not take more for its heap; out of memory is the end of workerd then. */
export async function startInspected(controlPlane: ControlPlane, mostMegabytes?: number): Promise<Inspected> {
  const { workerdConfig } = layoutOf(controlPlane.dataDir);
  const config = mostMegabytes === undefined ? workerdConfig : limited(workerdConfig, mostMegabytes);
  const [port = 0] = await freePorts(1);
  const args = ['serve', `--inspector-addr=127.0.0.1:${port}`, config];
  let said = '';
  const child = spawn(join(PROJECT, 'node_modules/.bin/workerd'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString('utf8')).slice(-4000);
  });
  // A run that is broken off leaves nothing behind.
  const last = () => void child.kill('SIGKILL');
  process.once('exit', last);
  const stop = async () => {
    await ended(child);
    process.off('exit', last);
  };
  const alive = () => child.exitCode === null && child.signalCode === null;
  try {
    const isReady = async () => (await controlPlane.client.request('GET', '/livez')).status === 200;
    await eventually('the control plane under inspection', isReady, { timeoutMs: 20_000, describe: () => said });
    const send = await connect(port);
    return {
      async heap() {
        const usage = (await send('Runtime.getHeapUsage')) as { usedSize?: number; backingStorageSize?: number };
        return { usedBytes: usage.usedSize ?? 0, buffersBytes: usage.backingStorageSize ?? 0 };
      },
      collectGarbage: async () => void (await send('HeapProfiler.collectGarbage')),
      send,
      alive,
      log: () => said,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The configuration with a limit for the heap, beside the one without. */
function limited(workerdConfig: string, mostMegabytes: number): string {
  const path = `${workerdConfig}.limited`;
  const flags = `const config :Workerd.Config = (\n  v8Flags = ["--max-heap-size=${mostMegabytes}"],`;
  const text = readFileSync(workerdConfig, 'utf8').replace('const config :Workerd.Config = (', () => flags);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

async function connect(port: number): Promise<Inspected['send']> {
  const listed = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { webSocketDebuggerUrl: string }[];
  const [target] = listed;
  if (target === undefined) throw new Error('the inspector has nothing to inspect');
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    const call = id === undefined ? undefined : waiting.get(id);
    if (id === undefined || call === undefined) return;
    waiting.delete(id);
    if (error === undefined) call.resolve(result ?? {});
    else call.reject(new Error(error.message));
  });
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the inspector has gone'));
    waiting.clear();
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
  });
  return (method, parameters = {}) =>
    new Promise((resolve, reject) => {
      const id = ++calls;
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, method, params: parameters }));
    });
}
