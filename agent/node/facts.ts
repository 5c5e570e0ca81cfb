/**
 * What a minion says about its machine: addresses, capacity, conditions, nodeInfo, as a kubelet does. Reads /proc, /etc and
 * the disk; changes nothing. When it is said is `main.ts`' business.
 * Source: https://kubernetes.io/docs/reference/node/node-status/
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, networkInterfaces, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { NodeCondition, NodeStatus } from '../../shared/api/core.ts';
import { KUBERNETES_VERSION } from '../../shared/defaults.ts';

const KIB = 1024;
/** A kubelet's default eviction thresholds: what is left below them is not for pods. */
const MEMORY_RESERVE_BYTES = 100 * KIB * KIB;
const DISK_RESERVE_SHARE = 0.1;
const PID_RESERVE_SHARE = 0.05;

const firstText = (paths: readonly string[]): string => {
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const text = readFileSync(path, 'utf8').trim();
    if (text !== '') return text;
  }
  return '';
};

/** This machine's own id; where it has none, one is made and kept in the data directory. */
export function readMachineId(dataDir: string): string {
  const own = firstText(['/etc/machine-id', '/var/lib/dbus/machine-id']);
  if (own !== '') return own;
  const path = join(dataDir, 'machine-id');
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, randomBytes(16).toString('hex'));
  }
  return readFileSync(path, 'utf8').trim();
}

export interface MachineReadings {
  cpus: number;
  memoryBytes: number;
  memoryAvailableBytes: number;
  diskBytes: number;
  diskAvailableBytes: number;
  pids: number;
  pidLimit: number;
}

function memoryAvailable(): number {
  const kib = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib ?? 0) * KIB;
}

export function readMachine(dataDir: string): MachineReadings {
  const disk = statfsSync(dataDir);
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    memoryAvailableBytes: memoryAvailable(),
    diskBytes: disk.blocks * disk.bsize,
    diskAvailableBytes: disk.bavail * disk.bsize,
    pids: Number(/\/(\d+)/.exec(readFileSync('/proc/loadavg', 'utf8'))?.[1] ?? 0),
    pidLimit: Number(firstText(['/proc/sys/kernel/pid_max'])),
  };
}

/** As Kubernetes writes it: memory in Ki, disk in Ki capacity and bytes allocatable. */
export function resourcesOf(
  machine: MachineReadings,
  maxPods: number,
): Required<Pick<NodeStatus, 'capacity' | 'allocatable'>> {
  const ki = (bytes: number) => `${Math.floor(bytes / KIB)}Ki`;
  return {
    capacity: {
      cpu: String(machine.cpus),
      memory: ki(machine.memoryBytes),
      'ephemeral-storage': ki(machine.diskBytes),
      pods: String(maxPods),
    },
    allocatable: {
      cpu: String(machine.cpus),
      memory: ki(Math.max(0, machine.memoryBytes - MEMORY_RESERVE_BYTES)),
      'ephemeral-storage': String(Math.floor(machine.diskBytes * (1 - DISK_RESERVE_SHARE))),
      pods: String(maxPods),
    },
  };
}

/**
 * The conditions, in a kubelet's words. A condition keeps its transition time while its status stays.
 * @param notReady why pods cannot run now; undefined: they can
 */
export function conditionsOf(
  machine: MachineReadings,
  notReady: string | undefined,
  previous: readonly NodeCondition[],
  nowMs: number,
): NodeCondition[] {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const make = (type: string, status: 'True' | 'False', reason: string, message: string): NodeCondition => {
    const before = previous.find((each) => each.type === type);
    const since = before?.status === status ? before.lastTransitionTime : undefined;
    return { type, status, lastHeartbeatTime: now, lastTransitionTime: since ?? now, reason, message };
  };
  const pressure = (type: string, pressed: boolean, yes: [string, string], no: [string, string]) =>
    pressed ? make(type, 'True', ...yes) : make(type, 'False', ...no);
  return [
    pressure(
      'MemoryPressure',
      machine.memoryAvailableBytes < MEMORY_RESERVE_BYTES,
      ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
      ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ),
    pressure(
      'DiskPressure',
      machine.diskAvailableBytes < machine.diskBytes * DISK_RESERVE_SHARE,
      ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
      ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ),
    pressure(
      'PIDPressure',
      machine.pidLimit > 0 && machine.pids > machine.pidLimit * (1 - PID_RESERVE_SHARE),
      ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
      ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
    ),
    notReady === undefined
      ? make('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : make('Ready', 'False', 'KubeletNotReady', notReady),
  ];
}

/** GOARCH of this machine: what Kubernetes calls architectures. */
export const goArchitecture = (): string => ({ x64: 'amd64', arm64: 'arm64' })[arch() as 'x64' | 'arm64'] ?? arch();

/** @param runtime e.g. `docker://20.10.24` */
export function nodeInfoOf(dataDir: string, runtime: string): NonNullable<NodeStatus['nodeInfo']> {
  const machineID = readMachineId(dataDir);
  const system = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return {
    machineID,
    systemUUID: firstText(['/sys/class/dmi/id/product_uuid', '/sys/class/dmi/id/product_serial']) || machineID,
    bootID: firstText(['/proc/sys/kernel/random/boot_id']),
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(system)?.[1] ?? 'Linux',
    containerRuntimeVersion: runtime,
    kubeletVersion: KUBERNETES_VERSION.gitVersion,
    kubeProxyVersion: KUBERNETES_VERSION.gitVersion,
    operatingSystem: 'linux',
    architecture: goArchitecture(),
  };
}

/** The source address that the kernel takes towards `host`; no packet is sent. */
function sourceAddressTowards(host: string): Promise<string | undefined> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    // No route, or no IPv4 address of that name: another way has to be found.
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.connect(9, host, () => {
      const { address } = socket.address();
      socket.close();
      resolve(address);
    });
  });
}

/** An address of documentation (RFC 5737): whatever lies beyond the default route. */
const ELSEWHERE = '198.51.100.1';

/**
 * The address by which other machines know this one: towards the server, else by the default route, else any.
 * @throws when the machine has only loopback
 */
export async function findNodeIP(server: string): Promise<string> {
  for (const host of [new URL(server).hostname.replace(/^\[|\]$/g, ''), ELSEWHERE]) {
    const address = await sourceAddressTowards(host);
    if (address !== undefined && !address.startsWith('127.') && address !== '0.0.0.0') return address;
  }
  const any = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(cni|lsh|flannel|docker|br-|veth)/.test(name))
    .flatMap(([, each]) => each ?? [])
    .find((each) => !each.internal && each.family === 'IPv4');
  if (any === undefined) throw new Error('this machine has no IPv4 address but loopback; give one with --node-ip');
  return any.address;
}

export const addressesOf = (nodeIP: string): NonNullable<NodeStatus['addresses']> => [
  { type: 'InternalIP', address: nodeIP },
  { type: 'Hostname', address: hostname() },
];
