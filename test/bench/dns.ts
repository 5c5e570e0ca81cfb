/**
 * Names of Services asked of the minion's DNS server over UDP on loopback, with 10,000 Services in its zone, against a socket
 * of the same kind that sends every packet back; server and asker in processes of their own. CoreDNS publishes 33,700
 * questions a second on two cores. Source: https://github.com/coredns/deployment/blob/master/kubernetes/Scaling_CoreDNS.md
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { DnsProcessInput } from '../support/dns-process.ts';
import { freePorts } from '../support/longshore.ts';
import { service } from '../support/service-objects.ts';
import { median } from './load.ts';
import { atLeast, atMost, type BenchRow, milliseconds, perSecond } from './row.ts';

const SERVICES = 10_000;
const QUESTIONS = 30_000;
const AT_ONCE = 32;
const ROUNDS = 5;
const COREDNS_PER_SECOND = 33_700;

interface Load {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  wrong: number;
}

export async function dns(): Promise<BenchRow[]> {
  const [port = 0] = await freePorts(1);
  const input: DnsProcessInput = {
    settings: { domain: 'cluster.local', addresses: ['127.0.0.1'], port, upstreams: ['127.0.0.1:1'] },
    services: Array.from({ length: SERVICES }, (_, index) =>
      service(`s${index}`, { clusterIP: `10.96.${index >> 8}.${index & 255}`, ports: [{ port: 80 }] }),
    ),
    slices: [],
  };
  const server = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', pathOf('../support/dns-process.ts')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const echo = spawn(process.execPath, ['-e', ECHO], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    server.stdin.write(`${JSON.stringify(input)}\n`);
    await firstLine(server.stdout);
    const echoPort = Number(await firstLine(echo.stdout));
    await ask(port, 1);
    const [ours, raw]: [Load[], Load[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(await ask(port, 1));
      raw.push(await ask(echoPort, 0));
    }
    const of = (loads: Load[], value: (load: Load) => number) => median(loads.map(value));
    const [rate, rawRate] = [of(ours, (each) => each.perSecond), of(raw, (each) => each.perSecond)];
    const p99 = of(ours, (each) => each.p99Ms);
    const measured = { name: `UDP echo in Node: packets/s at ${AT_ONCE}`, value: rawRate };
    return [
      {
        what: `DNS: a Service's name among ${SERVICES}, ${AT_ONCE} askers`,
        ours: perSecond(rate),
        baseline: `UDP echo: ${perSecond(rawRate)} (CoreDNS's published ${perSecond(COREDNS_PER_SECOND)})`,
        ratio: rate / rawRate,
        goal: atLeast(rate, 15_000, '/s'),
        measured,
      },
      {
        what: 'the same, p99',
        ours: milliseconds(p99),
        baseline: milliseconds(of(raw, (each) => each.p99Ms)),
        ratio: p99 / of(raw, (each) => each.p99Ms),
        goal: atMost(p99, 5, 'ms'),
        measured,
      },
    ];
  } finally {
    server.kill();
    echo.kill();
  }
}

const ECHO = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (packet, { port, address }) => socket.send(packet, port, address));
socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));
`;

const pathOf = (file: string): string => new URL(file, import.meta.url).pathname;

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('the process ended before it was ready');
}

/** @param records in each answer */
function ask(port: number, records: number): Promise<Load> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    pathOf('dns-load-process.ts'),
    port,
    QUESTIONS,
    AT_ONCE,
    records,
  ];
  const child = spawn(process.execPath, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code !== 0) return reject(new Error(`the asker ended with ${code}`));
      const load = JSON.parse(text) as Load;
      if (load.wrong > 0) return reject(new Error(`${load.wrong} of ${QUESTIONS} questions were not answered rightly`));
      return resolve(load);
    });
  });
}
