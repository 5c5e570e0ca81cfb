/**
 * One Service changes among thousands: how long the minion's table takes to follow, against nft(8) adding one element to a
 * map of the same size; and how long it takes from the API to the kernel of a minion.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import type { ApiClient } from '../../agent/cli/api-client.ts';
import { NftablesProxy } from '../../agent/proxy/nftables.ts';
import type { ServiceRoute } from '../../agent/proxy/proxy.ts';
import { createTestNetwork, type TestHost } from '../support/hosts.ts';
import { startLab } from '../support/lab.ts';
import { median, percentile } from './load.ts';
import { atMost, type BenchRow, milliseconds } from './row.ts';

const SIZES = [1000, 10_000] as const;
const ROUNDS = 15;
const CHANGES = 60;
const AT_ONCE = 16;
/** So that a change that never comes ends the measurement. */
const PATIENCE_MS = 120_000;
const PROBE_MS = 1000;
const ENDPOINT = '10.244.9.9';
const SERVICES = '/api/v1/namespaces/default/services';

export async function services(): Promise<BenchRow[]> {
  return [...(await applies()), await endToEnd()];
}

// ---- The table of one host -----------------------------------------------------------------------------------------------

interface Applied {
  oursMs: number;
  rawMs: number;
}

async function applies(): Promise<BenchRow[]> {
  const network = await createTestNetwork();
  try {
    const host = await network.host('one');
    const [small, large] = [await applyOne(host, SIZES[0]), await applyOne(host, SIZES[1])];
    const row = (count: number, { oursMs, rawMs }: Applied): BenchRow => ({
      what: `one of ${count} Services changes: the minion's table`,
      ours: milliseconds(oursMs),
      baseline: `nft, one element into as many: ${milliseconds(rawMs)}`,
      ratio: oursMs / rawMs,
      goal: atMost(oursMs, 10, 'ms'),
      measured: { name: `nft: one element into ${count}, ms`, value: rawMs },
    });
    return [
      row(SIZES[0], small),
      row(SIZES[1], large),
      {
        what: `the same, ${SIZES[1]} over ${SIZES[0]}`,
        ours: milliseconds(large.oursMs),
        baseline: milliseconds(small.oursMs),
        ratio: large.oursMs / small.oursMs,
        goal: atMost(large.oursMs / small.oursMs, 1.5),
      },
    ];
  } finally {
    await network.dispose();
  }
}

const route = (index: number, endpoint: number): ServiceRoute => {
  const endpoints = [{ ip: `10.244.1.${1 + (endpoint % 250)}`, port: 8080, local: true }];
  return {
    service: `default/s${index}`,
    protocol: 'TCP',
    addresses: [addressOf(index)],
    externalAddresses: [],
    port: 80,
    endpoints,
    localEndpoints: endpoints,
    internalLocalOnly: false,
    externalLocalOnly: false,
  };
};

const addressOf = (index: number): string => `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

async function applyOne(host: TestHost, count: number): Promise<Applied> {
  const nft = (input: string) => host.exec('nft', ['-f', '-'], input);
  const elements = Array.from({ length: count }, (_, index) => `${addressOf(index)} . 80 : 10.244.1.1 . 8080`);
  await nft(
    `add table ip raw_baseline\nadd map ip raw_baseline m { type ipv4_addr . inet_service : ipv4_addr . inet_service; }\nadd element ip raw_baseline m { ${elements.join(', ')} }\n`,
  );
  const failures: string[] = [];
  const log = (message: string) => failures.push(message);
  const proxy = new NftablesProxy({ instance: 'bench', exec: host.exec, spawn: host.spawn, log });
  await proxy.start({ podCIDR: '10.244.0.0/16', nodeAddresses: [host.ip], serviceCIDR: '10.96.0.0/12' });
  const routes = Array.from({ length: count }, (_, index) => route(index, 0));
  await proxy.apply(routes);
  const [ours, raw]: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const changed = route(round, round + 1);
    const startedAt = performance.now();
    await proxy.change(new Map([[changed.service, [changed]]]));
    ours?.push(performance.now() - startedAt);
    const rawAt = performance.now();
    await nft(`add element ip raw_baseline m { ${addressOf(count + round)} . 80 : 10.244.1.1 . 8080 }\n`);
    raw?.push(performance.now() - rawAt);
  }
  await proxy.purge();
  await nft('delete table ip raw_baseline\n');
  if (failures.length > 0) throw new Error(failures.join('\n'));
  return { oursMs: median(ours ?? []), rawMs: median(raw ?? []) };
}

// ---- From the API to the kernel ----------------------------------------------------------------------------------------

async function endToEnd(): Promise<BenchRow> {
  const count = SIZES[1];
  const lab = await startLab({ minions: [{ name: 'm1' }] });
  let monitor: ChildProcess | undefined;
  try {
    const { client } = lab.controlPlane;
    let next = 0;
    const filler = async () => {
      while (next < count) await createService(client, next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, filler));
    const seen = watchKernel(lab.minion('m1').host);
    ({ monitor } = seen);
    // nft(8) reads the whole table before it listens, and does not say when it does. What came after all others is the last.
    do await createService(client, next++);
    while (!(await seen.hears(PROBE_MS)));
    await seen.address(await createService(client, next++));
    const latencies: number[] = [];
    for (let change = 1; change <= CHANGES; change++) {
      const startedAt = performance.now();
      await seen.address(await createService(client, next++));
      latencies.push(performance.now() - startedAt);
    }
    latencies.sort((a, b) => a - b);
    const p99 = percentile(latencies, 0.99);
    return {
      what: `a Service made beside ${count}: POST to the minion's kernel, p99 of ${CHANGES}`,
      ours: `${milliseconds(p99)} (p50 ${milliseconds(percentile(latencies, 0.5))})`,
      baseline: '-',
      goal: atMost(p99, 200, 'ms'),
    };
  } finally {
    monitor?.kill();
    await lab.dispose();
  }
}

/** With an endpoint of its own, so that it is more than an address that nobody serves. @returns its cluster IP */
async function createService(client: ApiClient, index: number): Promise<string> {
  const name = `s${index}`;
  const made = await client.json<{ spec: { clusterIP: string } }>('POST', SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 80 }] },
  });
  await client.json('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ENDPOINT] }],
    ports: [{ port: 8080, name: '', protocol: 'TCP' }],
  });
  return made.spec.clusterIP;
}

/** What nft(8) tells of changes in the host's tables, line by line: an address counts once it leads to its endpoint. */
function watchKernel(host: TestHost): {
  monitor: ChildProcess;
  /** Whether it has told of any address, within so long. */
  hears(ms: number): Promise<boolean>;
  address(ip: string): Promise<void>;
} {
  const monitor = spawn('nsenter', [`--net=${host.netns}`, 'stdbuf', '-oL', 'nft', '-n', 'monitor'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const led = new Set<string>();
  createInterface({ input: monitor.stdout }).on('line', (line) => {
    const [, address] = /endpoints_tcp \{ (\S+) \. /.exec(line) ?? [];
    if (address === undefined || !line.startsWith('add element') || !line.includes(ENDPOINT)) return;
    led.add(address);
    monitor.emit('led');
  });
  return {
    monitor,
    async hears(ms) {
      await Promise.race([once(monitor, 'led'), setTimeout(ms)]);
      return led.size > 0;
    },
    async address(ip) {
      const deadline = AbortSignal.timeout(PATIENCE_MS);
      while (!led.has(ip)) await once(monitor, 'led', { signal: deadline });
    },
  };
}
