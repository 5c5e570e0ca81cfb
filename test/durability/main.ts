/**
 * Long runs, not part of `npm test`: `npm run crash` (`-- --kills N --seed S`), `npm run crash -- histories` (`--rounds N`).
 * `npm run soak` (`-- --minutes N --minions N --seed S`).
 * Each prints its seed at once, what it did at the end, and fails when anything was lost.
 */
import { parseArgs } from 'node:util';
import { startControlPlane } from '../support/longshore.ts';
import { newSeed } from '../support/seeded-random.ts';
import { runCrashes } from './crash.ts';
import { runHistories } from './histories.ts';
import { runSoak } from './soak.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: 'string', default: '210' },
    writes: { type: 'string', default: '500' },
    minutes: { type: 'string', default: '60' },
    minions: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '24' },
    seed: { type: 'string', default: String(newSeed(process.env)) },
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** The first Ctrl-C ends a run early, and whole: what it started is removed. */
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupted) process.exit(1);
    interrupted = true;
  });
}
const enough = () => interrupted;

async function crash(): Promise<string[]> {
  const controlPlane = await startControlPlane();
  try {
    const { violations, ...done } = await runCrashes(controlPlane, {
      seed: Number(values.seed),
      kills: Number(values.kills),
      writesPerRound: Number(values.writes),
      writers: 16,
      followers: 4,
      enough,
      say,
    });
    for (const [what, count] of Object.entries(done)) say(`${what.padEnd(20)} ${count}`);
    return violations;
  } finally {
    await controlPlane.dispose();
  }
}

async function histories(): Promise<string[]> {
  const controlPlane = await startControlPlane();
  try {
    const { violations, faults, ...done } = await runHistories(controlPlane, {
      seed: Number(values.seed),
      rounds: Number(values.rounds),
      perRound: 48,
      enough,
      say,
    });
    for (const [what, count] of Object.entries({ ...done, ...faults })) say(`${what.padEnd(20)} ${count}`);
    return violations;
  } finally {
    await controlPlane.dispose();
  }
}

async function soak(): Promise<string[]> {
  const { violations, done } = await runSoak({
    seed: Number(values.seed),
    minutes: Number(values.minutes),
    minions: Number(values.minions),
    enough,
    say,
  });
  for (const [what, count] of Object.entries(done)) say(`${what.padEnd(40)} ${count}`);
  return violations;
}

say(`seed ${values.seed}`);
const runs: Record<string, () => Promise<string[]>> = { crash, histories, soak };
const run = runs[positionals.at(-1) ?? ''];
if (run === undefined) throw new Error(`one of: ${Object.keys(runs).join(', ')}`);
const violations = await run();
for (const violation of violations) say(`VIOLATION ${violation}`);
say(violations.length === 0 ? 'nothing lost' : `${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;
