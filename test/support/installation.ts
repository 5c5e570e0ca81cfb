/**
 * Longshore as its user has it: a clone of its own, from which the `longshore` command runs in the background on this
 * machine's engine, under an instance name, ports and folders of its own. An update of the clone is a changed file in it.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../agent/cli/api-client.ts';
import { clusterClient } from '../../agent/cli/cluster-access.ts';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { type Layout, layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { runningPid } from '../../agent/cli/pid-file.ts';
import { marksOf, runningSupervisor } from '../../agent/cli/supervisor.ts';

export interface Installation {
  layout: Layout;
  /** Of its one minion, and its instance name. */
  node: string;
  apiPort: number;
  ca: string;
  /** As the administrator. */
  client: ApiClient;
  /** The same by way of another address, e.g. a relay's. */
  clientAt(url: string): ApiClient;
  longshore(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  pids(): { supervisor: number | undefined; workerd: number | undefined; agent: number | undefined };
  /** Id and start time of each of its containers. */
  containers(): string[];
  /** Another version in the clone: the text of one of its files. */
  edit(path: string, change: (text: string) => string): void;
  dispose(): Promise<void>;
}

const CLONED = ['agent', 'shared', 'worker', 'package.json', 'package-lock.json', 'tsconfig.json', 'wrangler.toml'];

const LOWEST_PORT = 20_000;
const PORTS = 12_000;

/**
 * A free port below those that the kernel gives to connections: whoever dials a port of that range while nobody listens may be
 * given that very port, reach itself, and keep it.
 */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * PORTS);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen({ host: '0.0.0.0', port, exclusive: true }, () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

export async function startInstallation(instance: string): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), `longshore-${instance}-`));
  const clone = join(folder, 'clone');
  const layout = layoutOf(join(folder, 'data'));
  mkdirSync(clone);
  for (const path of CLONED) cpSync(join(PROJECT, path), join(clone, path), { recursive: true });
  symlinkSync(join(PROJECT, 'node_modules'), join(clone, 'node_modules'));
  const longshore: Installation['longshore'] = (...args) =>
    new Promise((resolve) => {
      execFile(
        'node',
        [join(clone, 'agent/cli/longshore.mjs'), ...args, '--data-dir', layout.dataDir],
        { encoding: 'utf8', timeout: 240_000 },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 128), stdout, stderr }),
      );
    });
  const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' });
  const clients: ApiClient[] = [];
  const dispose = async () => {
    for (const client of clients) client.close();
    const purged = existsSync(layout.dataDir) ? await longshore('down', '--purge') : undefined;
    rmSync(folder, { recursive: true, force: true });
    if (purged !== undefined && purged.code !== 0) throw new Error(`down --purge failed: ${purged.stderr}`);
  };
  try {
    const apiPort = await quietPort();
    const publicPort = await quietPort();
    const ports = ['--api-port', String(apiPort), '--public-port', String(publicPort)];
    const names = ['--instance', instance, '--node-name', instance, '--manifest-dir', join(folder, 'manifests')];
    const up = await longshore('up', '--detach', '--no-install', ...ports, ...names);
    if (up.code !== 0) throw new Error(`longshore up ended with ${up.code}: ${up.stdout}${up.stderr}`);
    const client = clusterClient(layout);
    clients.push(client);
    return {
      layout,
      node: instance,
      apiPort,
      ca: readFileSync(layout.caCertificate, 'utf8'),
      client,
      clientAt: (url) => {
        const other = new ApiClient({ ...client.options, url });
        clients.push(other);
        return other;
      },
      longshore,
      pids: () => ({
        supervisor: runningSupervisor(layout),
        workerd: runningPid(layout.workerdPid, marksOf(layout).workerd),
        agent: runningPid(layout.agentPid, marksOf(layout).agent),
      }),
      containers: () =>
        docker('ps', '-aq', '--no-trunc', '--filter', `label=dev.longshore.instance=${instance}`)
          .split('\n')
          .filter(Boolean)
          .map((id) => docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', id).trim())
          .sort(),
      edit: (path, change) => {
        const file = join(clone, path);
        writeFileSync(file, change(readFileSync(file, 'utf8')));
      },
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
