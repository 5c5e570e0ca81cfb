/**
 * Test hosts: network namespaces on one machine, joined by a bridge, some behind a NAT router that nothing can dial into.
 * Each can have a Docker engine of its own (`host-engine.ts`). Everything is named after this process and removed by
 * `dispose()`, in the reverse order of its making; also when the process ends early.
 *
 *   root namespace ── veth ── [hub: bridge] ── veth ── [host]
 *                                   └── veth ── [router: NAT] ── veth ── [host behind NAT]
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type Exec, execBehind, execCommand } from '../../agent/network/commands.ts';
import { type HostEngine, startHostEngine } from './host-engine.ts';

export interface TestHost {
  name: string;
  /** Path of its network namespace, for `nsenter --net=`. */
  netns: string;
  ip: string;
  /** Runs a program in the host's network; everything else (files, processes) is the machine's. */
  exec: Exec;
  /** Starts a long-lived process in the host's network; it is killed on dispose. */
  spawn(file: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  /** A network namespace of its own for a pretended pod: the pid of a sleeping process in it. */
  sandbox(): Promise<number>;
  /** A Docker engine of its own, started once. */
  engine(): Promise<HostEngine>;
}

export interface TestNetwork {
  /** In the name of everything that it makes on the machine. */
  id: string;
  /** Where the root namespace is reached from every host: the control plane listens here. */
  rootIP: string;
  /** A host on the bridge, or behind `router`. */
  host(name: string, options?: { router?: TestRouter }): Promise<TestHost>;
  /** A NAT: hosts behind it dial out under its address; new connections from outside are dropped. */
  router(name: string): Promise<TestRouter>;
  dispose(): Promise<void>;
}

export interface TestRouter {
  name: string;
  netns: string;
  /** Its address on the bridge. */
  ip: string;
  subnet: Subnet;
}

/** Hands out addresses of one /24. */
interface Subnet {
  prefix: string;
  bridge: string;
  netns: string;
  next(): string;
}

const NAT_RULES = (wan: string) => `
table ip nat_router {
  chain postrouting { type nat hook postrouting priority srcnat; oifname "${wan}" masquerade; }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname != "${wan}" accept
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${wan}" ct state new meta l4proto { tcp, udp } drop
  }
}`;

export async function createTestNetwork(): Promise<TestNetwork> {
  const id = `${process.pid.toString(36)}${randomBytes(2).toString('hex')}`;
  const undo: (() => void | Promise<void>)[] = [];
  const onExit = () => sweep(id);
  process.once('exit', onExit);

  const addNamespace = async (name: string): Promise<string> => {
    const namespace = `lt-${id}-${name}`;
    await execCommand('ip', ['netns', 'add', namespace]);
    undo.push(() => execCommand('ip', ['netns', 'del', namespace]).then(() => undefined));
    const netns = `/run/netns/${namespace}`;
    await execBehind(['nsenter', `--net=${netns}`])('ip', ['link', 'set', 'lo', 'up']);
    return netns;
  };

  /** A veth from a subnet's bridge into a namespace (or the root), with the next address. */
  const plug = async (subnet: Subnet, netns: string | undefined, device: string): Promise<string> => {
    const port = `p${randomBytes(5).toString('hex')}`;
    const inSubnet = execBehind(['nsenter', `--net=${subnet.netns}`]);
    const ip = subnet.next();
    const end = netns === undefined ? '1' : (netns.split('/').at(-1) ?? '');
    await inSubnet('ip', ['link', 'add', port, 'type', 'veth', 'peer', 'name', device, 'netns', end]);
    await inSubnet('ip', ['link', 'set', port, 'master', subnet.bridge, 'up']);
    const inside = netns === undefined ? execCommand : execBehind(['nsenter', `--net=${netns}`]);
    await inside('ip', ['-batch', '-'], `addr add ${ip}/24 dev ${device}\nlink set ${device} up\n`);
    return ip;
  };

  const makeSubnet = async (netns: string, prefix: string, first: number): Promise<Subnet> => {
    await execBehind(['nsenter', `--net=${netns}`])('ip', ['link', 'add', 'br0', 'up', 'type', 'bridge']);
    let last = first - 1;
    const next = () => {
      last += 1;
      return `${prefix}.${last}`;
    };
    return { prefix, bridge: 'br0', netns, next };
  };

  const makeHost = async (name: string, subnet: Subnet, gateway: string): Promise<TestHost> => {
    const netns = await addNamespace(name);
    const ip = await plug(subnet, netns, 'eth0');
    const exec = execBehind(['nsenter', `--net=${netns}`]);
    await exec('ip', ['route', 'add', 'default', 'via', gateway]);
    const spawnInside = (file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess => {
      const child = spawn('nsenter', [`--net=${netns}`, file, ...args], { stdio: 'pipe', ...options });
      undo.push(() => ended(child, 'SIGKILL'));
      return child;
    };
    let engine: Promise<HostEngine> | undefined;
    return {
      name,
      netns,
      ip,
      exec,
      spawn: spawnInside,
      sandbox: async () => {
        const child = spawnInside('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 3600']);
        await firstOutput(child);
        if (child.pid === undefined) throw new Error('the sandbox process has no pid');
        return child.pid;
      },
      engine: () => {
        engine ??= startHostEngine({ name: `${id}-${name}`, netns }).then((started) => {
          undo.push(() => started.stop());
          return started;
        });
        return engine;
      },
    };
  };

  try {
    const hub = await addNamespace('hub');
    const subnet = await makeSubnet(hub, await freePrefix(), 1);
    const rootIP = await plug(subnet, undefined, `lt${id}`);
    // Its other end's namespace would take it along, but only some time after it is gone itself.
    undo.push(() => execCommand('ip', ['link', 'del', `lt${id}`]).then(() => undefined));
    return {
      id,
      rootIP,
      host: (name, options) => {
        const router = options?.router;
        return router === undefined
          ? makeHost(name, subnet, rootIP)
          : makeHost(name, router.subnet, `${router.subnet.prefix}.1`);
      },
      router: async (name) => {
        const netns = await addNamespace(name);
        const inside = execBehind(['nsenter', `--net=${netns}`]);
        const ip = await plug(subnet, netns, 'wan');
        const lan = await makeSubnet(netns, await freePrefix(), 2);
        await inside('ip', ['-batch', '-'], `addr add ${lan.prefix}.1/24 dev br0\nroute add default via ${rootIP}\n`);
        await inside('sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
        await inside('nft', ['-f', '-'], NAT_RULES('wan'));
        return { name, netns, ip, subnet: lan };
      },
      dispose: async () => {
        process.removeListener('exit', onExit);
        const failures: unknown[] = [];
        for (const step of undo.splice(0).reverse()) {
          try {
            await step();
          } catch (error) {
            failures.push(error);
          }
        }
        sweep(id);
        if (failures.length > 0) throw new AggregateError(failures, 'the test network was not wholly removed');
      },
    };
  } catch (error) {
    sweep(id);
    throw error;
  }
}

/** A /24 of 192.168.0.0/16 that no interface of the machine uses; a fresh one with each call. */
const handedOut = new Set<string>();
async function freePrefix(): Promise<string> {
  const routes = await execCommand('ip', ['route', 'show', 'table', 'all']);
  for (;;) {
    const prefix = `192.168.${100 + (randomBytes(1).readUInt8() % 150)}`;
    if (handedOut.has(prefix) || routes.includes(`${prefix}.`)) continue;
    handedOut.add(prefix);
    return prefix;
  }
}

/** The last resort, synchronous: kills whatever still lives in this network's namespaces, then removes them. */
function sweep(id: string): void {
  const names = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(`lt-${id}-`));
  for (const name of names) {
    const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).split('\n').filter(Boolean);
    for (const pid of pids) killIfAlive(Number(pid));
    execFileSync('ip', ['netns', 'del', name]);
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Kills a child and waits for its end. */
function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${child.spawnargs.join(' ')} ended with ${code}`)));
  });
}
