/**
 * What is billed: an idle cluster with three minions over ten simulated minutes, and one pod's life. The counting is done by
 * two ordinary tests inside workerd (`test/workerd/idle.test.ts`, `pod-life.test.ts`), which assert it too; this runs them
 * and prints what they counted.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import type { Usage } from '../support/meter.ts';
import { atMost, type BenchRow } from './row.ts';

const FREE_ROWS_WRITTEN_A_DAY = 100_000;
const MINUTES = 10;

export async function cost(): Promise<BenchRow[]> {
  const [idle, life] = await countedBy(['test/workerd/idle.test.ts', 'test/workerd/pod-life.test.ts']);
  if (idle === undefined || life === undefined) throw new Error('the tests that count gave no counts');
  const rowsADay = (idle.rowsWritten / MINUTES) * 60 * 24;
  return [
    {
      what: `idle cluster, 3 minions, ${MINUTES} minutes`,
      ours: describe(idle),
      baseline: 'an alarm every 40 s: 15 alarms, 15 rows',
      goal: atMost(idle.rowsWritten + idle.requests + idle.messages, 15, 'rows, requests and messages'),
    },
    {
      what: 'the same, rows written a day',
      ours: String(rowsADay),
      baseline: `Free plan: ${FREE_ROWS_WRITTEN_A_DAY}`,
      ratio: rowsADay / FREE_ROWS_WRITTEN_A_DAY,
      goal: atMost(rowsADay / FREE_ROWS_WRITTEN_A_DAY, 0.05),
    },
    { what: 'a pod: made, scheduled, running, deleted', ours: describe(life), baseline: '-' },
  ];
}

const describe = (used: Usage): string =>
  `${used.requests} requests, ${used.messages} messages, ${used.alarms} alarms, ${used.rowsWritten} rows written, ${used.rowsRead} read`;

/** Runs these tests; the `usage` that the first test of each left in its meta. @throws when one fails. */
async function countedBy(files: readonly string[]): Promise<(Usage | undefined)[]> {
  const directory = mkdtempSync(join(tmpdir(), 'longshore-cost-'));
  const report = join(directory, 'report.json');
  try {
    const said = await run([
      join(PROJECT, 'node_modules/.bin/vitest'),
      'run',
      '--config',
      'test/vitest.config.ts',
      '--project',
      'workerd',
      '--reporter=json',
      `--outputFile=${report}`,
      ...files,
    ]);
    if (said !== '') throw new Error(said);
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
      testResults: { name: string; assertionResults: { meta?: { usage?: Usage } }[] }[];
    };
    return files.map((file) =>
      testResults
        .find((each) => each.name.endsWith(file))
        ?.assertionResults.map((each) => each.meta?.usage)
        .find((usage) => usage !== undefined),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** '' when all is well, what it said otherwise. */
function run(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { cwd: PROJECT, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      said += text.toString('utf8');
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0 ? '' : said.slice(-4000) || `vitest ended with ${code}`));
  });
}
