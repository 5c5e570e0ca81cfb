/**
 * From nothing running to the API's first answer, on state that is there already (certificates, bundle, a cluster): what a
 * second `longshore up` takes. Against workerd with a Worker of thirty lines.
 */
import { startPair } from './pair.ts';
import { medianOf, rounds } from './rounds.ts';
import { atMost, type BenchRow, milliseconds } from './row.ts';

export async function start(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    const { controlPlane } = pair;
    const results = await rounds(
      async () => {
        await controlPlane.kill('SIGKILL');
        return timed(() => controlPlane.restart());
      },
      async () => {
        await pair.bare.end();
        return timed(() => pair.bare.start());
      },
    );
    const ours = medianOf(results, (round) => round.ours);
    const bare = medianOf(results, ({ baseline }) => baseline);
    return [
      {
        what: 'start of the control plane, to its first answer',
        ours: milliseconds(ours),
        baseline: `bare workerd: ${milliseconds(bare)}`,
        ratio: medianOf(results, (round) => round.ours / round.baseline),
        goal: atMost(ours, 1000, 'ms'),
        measured: { name: 'bare workerd: start, ms', value: bare },
      },
    ];
  } finally {
    await pair.dispose();
  }
}

async function timed(body: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await body();
  return performance.now() - startedAt;
}
