/**
 * POST, strategic merge patch and server-side apply of a ConfigMap of 1 kB at 16 connections and at one, against a bare
 * object's put of the same bytes.
 */
import { CONFIG_MAPS, configMap, loadSide, makeConfigMaps, nameOf } from './config-maps.ts';
import type { Call } from './load.ts';
import { startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { type BenchRow, perSecond } from './row.ts';

const CONNECTIONS = 16;
const REQUESTS = { 1: 200, [CONNECTIONS]: 1000 };

interface Operation {
  what: string;
  code: number;
  call(name: string, mark: number): Call;
}

const patched = (type: string, query: string) => (name: string, mark: number) => ({
  method: 'PATCH',
  path: `${CONFIG_MAPS}/${name}${query}`,
  headers: { 'content-type': type },
  body: configMap(name, mark),
});

const OPERATIONS: readonly Operation[] = [
  {
    what: 'POST',
    code: 201,
    call: (_, mark) => ({ method: 'POST', path: CONFIG_MAPS, body: configMap(`made-${mark}`, mark) }),
  },
  { what: 'strategic merge patch', code: 200, call: patched('application/strategic-merge-patch+json', '') },
  {
    what: 'server-side apply',
    code: 200,
    call: patched('application/apply-patch+yaml', '?fieldManager=bench&force=true'),
  },
];

export async function writes(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    await makeConfigMaps(pair, CONNECTIONS);
    let mark = 0;
    const rows: BenchRow[] = [];
    for (const connections of [CONNECTIONS, 1] as const) {
      const agent = pair.agent(connections);
      const requests = REQUESTS[connections] ?? 0;
      const run = (of: 'ours' | 'bare', code: number, call: Operation['call']) =>
        loadSide(pair, {
          of,
          agent,
          connections,
          requests,
          code,
          make: (index) => call(nameOf(index, CONNECTIONS), mark++),
        });
      const bare = () =>
        run('bare', 200, (name, at) => ({ method: 'PUT', path: `/${name}`, body: configMap(name, at) }));
      for (const { what, code, call } of OPERATIONS) {
        // Warm: compiled code, open connections.
        await run('ours', code, call);
        const results = await rounds(() => run('ours', code, call), bare);
        const rate = medianOf(results, ({ baseline }) => baseline.perSecond);
        rows.push({
          what: `${what} of 1 kB, ${connections === 1 ? '1 connection' : `${connections} connections`}`,
          ours: perSecond(medianOf(results, ({ ours }) => ours.perSecond)),
          baseline: `bare object's put: ${perSecond(rate)}`,
          ratio: medianOf(results, ({ ours, baseline }) => ours.perSecond / baseline.perSecond),
          measured: { name: `bare object: puts/s at ${connections}`, value: rate },
        });
      }
    }
    return rows;
  } finally {
    await pair.dispose();
  }
}
