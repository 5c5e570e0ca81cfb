/**
 * What a refused token costs: workerd's processor time for a request whose token has a wrong signature, against one for a GET
 * that a bare object answers. That no object is woken by it is an ordinary test (`test/workerd/authentication.test.ts`).
 */
import { readFileSync } from 'node:fs';
import { configMap } from './config-maps.ts';
import { load, requireAll } from './load.ts';
import { startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import type { BenchRow } from './row.ts';

const REQUESTS = 1000;
const CONNECTIONS = 4;
/** Linux gives it so, whatever the kernel's own clock: USER_HZ. */
const TICKS_PER_SECOND = 100;

export async function refused(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    const agent = pair.agent(CONNECTIONS);
    const [head, claims] = pair.controlPlane.adminToken.split('.');
    // The right length, and nobody's.
    const token = `${head}.${claims}.${'A'.repeat(86)}`;
    const spent = async (pid: number, url: string, path: string, headers: Record<string, string>, code: number) => {
      const before = processorSeconds(pid);
      const common = { url, agent, headers, connections: CONNECTIONS };
      const result = await load({ ...common, requests: REQUESTS, make: () => ({ method: 'GET', path }) });
      requireAll(`requests to ${url}`, result, code);
      return ((processorSeconds(pid) - before) / REQUESTS) * 1e6;
    };
    const path = '/api/v1/namespaces/default/configmaps/one';
    const ours = () =>
      spent(pidOf(pair.controlPlane.pid()), pair.controlPlane.url, path, { authorization: `Bearer ${token}` }, 401);
    const granted = () => spent(pidOf(pair.controlPlane.pid()), pair.controlPlane.url, path, pair.headers, 200);
    const bare = () => spent(pidOf(pair.bare.pid()), pair.bare.url, '/one', {}, 200);
    await pair.controlPlane.api('POST', '/api/v1/namespaces/default/configmaps', JSON.parse(configMap('one', 0)));
    const one = { url: pair.bare.url, agent, connections: 1, requests: 1 };
    await load({ ...one, make: () => ({ method: 'PUT', path: '/one', body: configMap('one', 0) }) });
    // Warm: compiled code, open connections.
    for (const each of [ours, granted, bare]) await each();
    const results = await rounds(async () => ({ refused: await ours(), granted: await granted() }), bare);
    const text = (value: number) => `${Math.round(value)} µs`;
    const ofBare = medianOf(results, ({ baseline }) => baseline);
    return [
      {
        what: 'a refused token, processor time of workerd',
        ours: `${text(medianOf(results, (round) => round.ours.refused))} (a GET that is granted: ${text(medianOf(results, (round) => round.ours.granted))})`,
        baseline: `bare object's get: ${text(ofBare)}`,
        ratio: medianOf(results, (round) => round.ours.refused / round.baseline),
        measured: { name: 'bare object: get, µs of processor time', value: ofBare },
      },
    ];
  } finally {
    await pair.dispose();
  }
}

function pidOf(pid: number | undefined): number {
  if (pid === undefined) throw new Error('workerd does not run');
  return pid;
}

function processorSeconds(pid: number): number {
  // Fields after the command's name, which may hold anything: proc(5), utime and stime are the 14th and 15th of all.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
