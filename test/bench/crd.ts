/** From the POST of a CustomResourceDefinition to the first list of its objects that is answered, against a bare object's put. */
import { configMap } from './config-maps.ts';
import { call } from './load.ts';
import { startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atMost, type BenchRow, milliseconds } from './row.ts';

const GROUP = 'bench.example';
const REPEATS = 7;
const DEADLINE_MS = 10_000;

const definition = (plural: string, kind: string) =>
  JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { size: { type: 'integer', minimum: 1 } } } },
            },
          },
        },
      ],
    },
  });

export async function crd(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    const agent = pair.agent(1);
    const api = { url: pair.controlPlane.url, agent, headers: pair.headers };
    const ours = async (round: number) => {
      const plural = `sizes${round}`;
      const startedAt = performance.now();
      const made = await call(api, {
        method: 'POST',
        path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
        body: definition(plural, `Size${round}`),
      });
      if (made.code !== 201) throw new Error(`creating ${plural}: ${made.code} ${made.body}`);
      while ((await call(api, { method: 'GET', path: `/apis/${GROUP}/v1/${plural}` })).code !== 200) {
        if (performance.now() - startedAt > DEADLINE_MS) throw new Error(`${plural} is not served`);
      }
      return performance.now() - startedAt;
    };
    const bare = async () => {
      const startedAt = performance.now();
      await call({ ...api, url: pair.bare.url }, { method: 'PUT', path: '/one', body: configMap('one', 0) });
      return performance.now() - startedAt;
    };
    // Warm: compiled code, open connections.
    await ours(REPEATS);
    await bare();
    const results = await rounds(ours, bare, REPEATS);
    const served = medianOf(results, (round) => round.ours);
    const put = medianOf(results, ({ baseline }) => baseline);
    return [
      {
        what: 'a CRD, from its POST until it is served',
        ours: milliseconds(served),
        baseline: `bare object's put: ${milliseconds(put)}`,
        ratio: served / put,
        goal: atMost(served, 100, 'ms'),
        measured: { name: 'bare object: one put now and then, ms', value: put },
      },
    ];
  } finally {
    await pair.dispose();
  }
}
