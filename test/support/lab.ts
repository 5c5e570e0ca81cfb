/**
 * A whole cluster for end-to-end tests: the control plane in workerd, minions with engines and networks of their own (some
 * behind a NAT), kubectl's configuration. Everything is removed by `dispose()`.
 */
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { eventually } from './eventually.ts';
import { createTestNetwork, type TestHost, type TestRouter } from './hosts.ts';
import { importTestImages } from './images.ts';
import type { Kubectl } from './kubectl.ts';
import { type ControlPlane, type RunningAgent, startAgent, startControlPlane } from './longshore.ts';

export interface LabOptions {
  /** `behind` names a NAT router; minions with the same name share one. */
  minions: { name: string; behind?: string }[];
}

export interface LabMinion {
  name: string;
  host: TestHost;
  agent: RunningAgent;
  /** `docker ARGS` against the minion's engine. */
  docker(...args: string[]): Promise<string>;
  /** Starts the agent again after it was ended. */
  restartAgent(): Promise<void>;
}

export interface Lab {
  controlPlane: ControlPlane;
  kubeconfig: string;
  minions: ReadonlyMap<string, LabMinion>;
  minion(name: string): LabMinion;
  /** Names of the containers of a namespace on a minion, pause containers included. */
  containers(minion: string, namespace: string): Promise<string[]>;
  /** GET through the public port, whatever the machine's resolver thinks of `*.localhost`. */
  fetchPublic(url: string): Promise<{ status: number; body: string }>;
  /** A command with a terminal of its own, and what was typed into it. */
  inTerminal(
    kubectl: Kubectl,
    args: readonly string[],
    typed: string,
    /** What to see before typing. */
    prompt?: RegExp,
  ): Promise<{ code: number; output: string }>;
  /** The answer to one call of the API, as the administrator. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  dispose(): Promise<void>;
}

export async function startLab(options: LabOptions): Promise<Lab> {
  const network = await createTestNetwork();
  const undo: (() => Promise<void>)[] = [() => network.dispose()];
  const dispose = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const controlPlane = await startControlPlane({ listen: network.rootIP });
    undo.push(() => controlPlane.dispose());
    const routers = new Map<string, Promise<TestRouter>>();
    const routerOf = (name: string): Promise<TestRouter> => {
      const router = routers.get(name) ?? network.router(name);
      routers.set(name, router);
      return router;
    };
    const minions = new Map<string, LabMinion>();
    for (const { name, behind } of options.minions) {
      const host = await network.host(name, behind === undefined ? {} : { router: await routerOf(behind) });
      const engine = await host.engine();
      importTestImages(engine.socket);
      const start = () => startAgent({ controlPlane, name, netns: host.netns, dockerSocket: engine.socket });
      const minion: LabMinion = {
        name,
        host,
        agent: await start(),
        docker: engine.docker,
        restartAgent: async () => {
          minion.agent = await start();
        },
      };
      undo.push(() => minion.agent.stop());
      minions.set(name, minion);
    }
    const lab: Lab = {
      controlPlane,
      kubeconfig: controlPlane.kubeconfigPath,
      minions,
      minion: (name) => {
        const minion = minions.get(name);
        if (minion === undefined) throw new Error(`the lab has no minion ${name}`);
        return minion;
      },
      containers: async (minion, namespace) =>
        (
          await lab
            .minion(minion)
            .docker('ps', '-a', '--filter', `label=io.kubernetes.pod.namespace=${namespace}`, '--format', '{{.Names}}')
        )
          .split('\n')
          .filter(Boolean),
      fetchPublic: (url) => fetchPublic(url),
      inTerminal,
      api: (method, path, body) => controlPlane.api(method, path, body),
      dispose,
    };
    await eventually(
      'every minion Ready',
      async () => {
        const { body } = await lab.api('GET', '/api/v1/nodes');
        return readyNodes(body).length === options.minions.length;
      },
      {
        timeoutMs: 90_000,
        describe: async () =>
          [...minions.values()].map((minion) => `--- ${minion.name}\n${minion.agent.log()}`).join('\n'),
      },
    );
    return lab;
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface NodeLike {
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string }[] };
}

/** Names of the nodes whose Ready condition is True. */
export function readyNodes(list: unknown): string[] {
  return (list as { items: NodeLike[] }).items
    .filter((node) =>
      node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
    )
    .map((node) => node.metadata.name);
}

function fetchPublic(url: string): Promise<{ status: number; body: string }> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const made = request(
      { host: '127.0.0.1', port, path: pathname + search, headers: { host: `${hostname}:${port}` } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
        response.once('error', reject);
      },
    );
    made.once('error', reject);
    made.end();
  });
}

const quoted = (argument: string) => `'${argument.replaceAll("'", "'\\''")}'`;

async function inTerminal(
  kubectl: Kubectl,
  args: readonly string[],
  typed: string,
  prompt = /[#$] /,
): Promise<{ code: number; output: string }> {
  const command = [kubectl.binary.path, ...args].map(quoted).join(' ');
  // script(1) gives the command a pseudo-terminal and, with -e, its exit code.
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, KUBECONFIG: kubectl.kubeconfig },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  await eventually('a prompt', () => prompt.test(output) || child.exitCode !== null, {
    describe: () => output,
    timeoutMs: 30_000,
  });
  child.stdin.write(typed);
  return { code: await ended, output };
}
