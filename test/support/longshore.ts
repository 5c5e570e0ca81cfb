/**
 * The real control plane for tests: workerd with the bundled Worker, in a data directory of its own, on free ports; and
 * agents as processes of their own, in any network namespace. Everything ends with `dispose()`, and, should the test
 * process be killed, with it.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../agent/cli/api-client.ts';
import { PROJECT, ControlPlane as Workerd } from '../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { kubeconfig } from '../../agent/cli/kubeconfig.ts';
import { adminToken, minionToken } from '../../agent/cli/tokens.ts';
import { AGENT_DEFAULTS, type AgentConfig } from '../../agent/config.ts';
import { readMachineId } from '../../agent/node/facts.ts';

export interface ControlPlane {
  /** `https://127.0.0.1:PORT`. */
  url: string;
  apiPort: number;
  publicPort: number;
  /** PEM of the cluster's CA. */
  ca: string;
  adminToken: string;
  /** A kubeconfig with the CA and the admin's token, for this machine. */
  kubeconfigPath: string;
  dataDir: string;
  /** Where it listens besides 127.0.0.1. */
  listen: string | undefined;
  /** As the admin. */
  client: ApiClient;
  /** A client with another token, or none; `url` undefined: straight to the control plane. */
  clientAs(token: string | undefined, url?: string): ApiClient;
  /** One call as the admin; the body parsed when it is JSON. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  /** workerd's. */
  pid(): number | undefined;
  /** The end of workerd's log. */
  log(): string;
  /** Ends workerd with this signal and leaves it ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts workerd again on the same state and ports. */
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

const STOP_GRACE_MS = 15_000;

/** Ports that nobody uses now, distinct. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '0.0.0.0', () => {
            const address = server.address();
            if (address === null || typeof address === 'string') reject(new Error('a TCP server has an address'));
            else resolve(address.port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** What a killed test process would leave behind: killed synchronously when it ends. */
const leftovers = new Set<() => void>();
process.once('exit', () => {
  for (const end of leftovers) end();
});

function killIfAlive(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** @param options.listen an address of this machine to serve besides 127.0.0.1, e.g. a test network's `rootIP`. */
export async function startControlPlane(options: { listen?: string } = {}): Promise<ControlPlane> {
  const dataDir = mkdtempSync(join(tmpdir(), 'longshore-test-'));
  const [apiPort = 0, publicPort = 0] = await freePorts(2);
  const listen = options.listen === undefined ? [] : [options.listen];
  const controlPlane = new Workerd({ dataDir, listen, apiPort, publicPort });
  const last = () => {
    killIfAlive(controlPlane.pid);
    rmSync(dataDir, { recursive: true, force: true });
  };
  leftovers.add(last);
  try {
    await controlPlane.start();
  } catch (error) {
    leftovers.delete(last);
    last();
    throw error;
  }
  const ca = readFileSync(controlPlane.layout.caCertificate, 'utf8');
  const token = await adminToken(controlPlane.layout);
  writeFileSync(controlPlane.layout.kubeconfig, kubeconfig({ server: controlPlane.url, ca, token }), { mode: 0o600 });
  const clients: ApiClient[] = [];
  const clientAs = (as: string | undefined, url = controlPlane.url) => {
    const client = new ApiClient({ url, ca, token: as });
    clients.push(client);
    return client;
  };
  const client = clientAs(token);
  return {
    url: controlPlane.url,
    apiPort,
    publicPort,
    ca,
    adminToken: token,
    kubeconfigPath: controlPlane.layout.kubeconfig,
    dataDir,
    listen: options.listen,
    client,
    clientAs,
    api: async (method, path, body) => {
      const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await client.request(method, path, body === undefined ? undefined : JSON.stringify(body), json);
      const text = answer.body.toString('utf8');
      const parsed: unknown = answer.headers['content-type']?.startsWith('application/json') ? JSON.parse(text) : text;
      return { status: answer.status, body: parsed };
    },
    pid: () => controlPlane.pid,
    log: () => controlPlane.logTail(200),
    kill: (signal) => controlPlane.kill(signal),
    restart: async () => {
      await controlPlane.stop();
      await controlPlane.start();
    },
    dispose: async () => {
      for (const client of clients) client.close();
      await controlPlane.stop();
      leftovers.delete(last);
      last();
    },
  };
}

export interface RunningAgent {
  nodeName: string;
  config: AgentConfig;
  pid(): number | undefined;
  /** The end of the agent's log. */
  log(): string;
  /** As a restart begins: containers stay, nobody is told. Resolves when it has ended, as the next two do. */
  stop(): Promise<void>;
  /** As a crash: SIGKILL. */
  kill(): Promise<void>;
  /** As `longshore down`: the cluster is told. */
  goodbye(): Promise<void>;
}

export interface AgentOptions extends Partial<Omit<AgentConfig, 'nodeName' | 'dataDir' | 'caFile'>> {
  controlPlane: ControlPlane;
  name: string;
  /** Path of the network namespace to run in; undefined: the machine's own. */
  netns?: string;
  dockerSocket: string;
}

/**
 * Starts an agent, or starts it again: its state lies with the control plane's, under its name. Containers and interfaces
 * that it makes go with the engine and the network namespace, or by `longshore down --purge`.
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { controlPlane, name, netns, ...overrides } = options;
  const dataDir = join(controlPlane.dataDir, 'agents', name);
  const manifestDir = overrides.manifestDir ?? join(dataDir, 'manifests');
  mkdirSync(manifestDir, { recursive: true });
  const caFile = join(dataDir, 'ca.crt');
  writeFileSync(caFile, controlPlane.ca);
  const host = netns === undefined ? '127.0.0.1' : (controlPlane.listen ?? '127.0.0.1');
  const config: AgentConfig = {
    ...AGENT_DEFAULTS,
    upstreamDns: [],
    nodeLabels: {},
    server: `https://${host}:${controlPlane.apiPort}`,
    token: overrides.token ?? (await minionToken(layoutOf(controlPlane.dataDir), name, readMachineId(dataDir))),
    nodeName: name,
    // An own engine in an own network needs no name of its own.
    instance: netns === undefined ? name : AGENT_DEFAULTS.instance,
    logLevel: 'debug',
    ...overrides,
    caFile,
    dataDir,
    manifestDir,
  };
  const configPath = join(dataDir, 'config.json');
  writeFileSync(configPath, JSON.stringify(config), { mode: 0o600 });
  const logPath = join(dataDir, 'agent.log');
  const log = openSync(logPath, 'a');
  const command = [process.execPath, join(PROJECT, 'agent/main.ts'), '--config', configPath];
  const inside = netns === undefined ? command : ['nsenter', `--net=${netns}`, '--', ...command];
  const child = spawn(inside[0] ?? '', inside.slice(1), { stdio: ['ignore', log, log] });
  closeSync(log);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const last = () => killIfAlive(child.pid);
  leftovers.add(last);
  void gone.then(() => leftovers.delete(last));
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    await gone;
    clearTimeout(timer);
  };
  return {
    nodeName: name,
    config,
    pid: () => child.pid,
    log: () => readFileSync(logPath, 'utf8').split('\n').slice(-200).join('\n'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    goodbye: () => end('SIGUSR2'),
  };
}
