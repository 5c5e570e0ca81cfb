/**
 * A thousand minions lose their sockets at the same moment, by the network and by a kill of the control plane: how long until
 * the last one is back, by what, and whether anything was touched. There is no baseline: the goals are the issue's.
 */
import { runReconnects } from '../durability/reconnect.ts';
import { startControlPlane } from '../support/longshore.ts';
import { atLeast, atMost, type BenchRow, milliseconds } from './row.ts';

const MINIONS = 1000;
const PODS_EACH = 2;
const FAULTS = { cut: 'cut off at once', killed: 'when the control plane is killed' } as const;

export async function reconnect(): Promise<BenchRow[]> {
  const controlPlane = await startControlPlane();
  try {
    const told = await runReconnects(controlPlane, {
      minions: MINIONS,
      podsEach: PODS_EACH,
      say: (line) => console.error(`${(performance.now() / 1000).toFixed(0)} s: ${line}`),
    });
    return told.flatMap(({ how, minions, backMs, byDelta, refusals, answers, touched }) => {
      const who = `${minions} minions ${FAULTS[how]}`;
      const failed = [refusals, answers].flatMap(Object.entries).filter(([code]) => Number(code) >= 500);
      const failures = failed.reduce((sum, [, count]) => sum + count, 0);
      const row = (what: string, ours: string, goal: BenchRow['goal']): BenchRow => ({
        what: `${who}: ${what}`,
        ours,
        baseline: '-',
        ...(goal === undefined ? {} : { goal }),
      });
      return [
        row('all back and Ready', milliseconds(backMs), atMost(backMs, 30_000, 'ms')),
        row('by delta', `${((100 * byDelta) / minions).toFixed(1)} %`, atLeast((100 * byDelta) / minions, 95, '%')),
        row(
          '5xx, and pods or nodes touched',
          `${failures}, ${touched.length}`,
          atMost(failures + touched.length, 0, ''),
        ),
      ];
    });
  } finally {
    await controlPlane.dispose();
  }
}
