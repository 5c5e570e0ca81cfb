/**
 * From nothing running to the API's first answer, on state that is there already (certificates, bundle, a cluster): what a
 * second `longshore up` takes. Against workerd with a Worker of thirty lines.
 */
import { median } from './load.ts';
import { startPair } from './pair.ts';
import { atMost, type BenchRow, milliseconds } from './row.ts';

const ROUNDS = 5;

export async function start(): Promise<BenchRow[]> {
  const pair = await startPair();
  try {
    const { controlPlane } = pair;
    const ours: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await controlPlane.kill('SIGKILL');
      ours.push(await timed(() => controlPlane.restart()));
      await pair.bare.end();
      bare.push(await timed(() => pair.bare.start()));
    }
    return [
      {
        what: 'start of the control plane, to its first answer',
        ours: milliseconds(median(ours)),
        baseline: `bare workerd: ${milliseconds(median(bare))}`,
        ratio: median(ours) / median(bare),
        goal: atMost(median(ours), 1000, 'ms'),
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
