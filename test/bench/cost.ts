/**
 * What is billed: an idle cluster, with three minions and with a hundred, and one pod's life; and what a month of it costs.
 * The counting is done by ordinary tests inside workerd (`test/workerd/idle.test.ts`, `pod-life.test.ts`), which assert it
 * too; this runs them and prints what they counted. Prices and what is compared with: `test/support/bill.ts`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { billed, freeShare, monthlyDollars, OTHERS, sumOf } from '../support/bill.ts';
import type { Usage } from '../support/meter.ts';
import { atMost, type BenchRow } from './row.ts';

/** What the tests ran for. */
const MINUTES = 10;
const PERIODS_A_DAY = (24 * 60) / MINUTES;
const DAYS_A_MONTH = 30;
const POD_STARTS_A_MINUTE = 20;

export async function cost(): Promise<BenchRow[]> {
  const [idle, life] = await countedBy(['test/workerd/idle.test.ts', 'test/workerd/pod-life.test.ts']);
  const { usage: three, used } = idle ?? {};
  const [ten, hundred, pod] = [used?.['10'], used?.['100'], life?.usage];
  if (!three || !ten || !hundred || !pod) throw new Error('the tests that count gave no counts');
  const idleMonth = billed(hundred, PERIODS_A_DAY * DAYS_A_MONTH);
  const podLives = POD_STARTS_A_MINUTE * 60 * 24 * DAYS_A_MONTH;
  const busyMonth = sumOf(idleMonth, billed(pod, podLives));
  return [
    {
      what: `idle cluster, 3 minions, ${MINUTES} minutes`,
      ours: describe(three),
      baseline: 'an alarm every 40 s: 15 alarms, 15 rows',
      goal: atMost(three.rowsWritten + three.requests + three.messages, 15, 'rows, requests and messages'),
    },
    freeDay('10 idle minions, a day', ten),
    freeDay('100 idle minions, a day', hundred),
    {
      what: 'each further idle minion',
      ours: `${difference(hundred, ten)} requests, messages, alarms and rows`,
      baseline: `10 minions: ${describe(ten)}`,
      goal: atMost(difference(hundred, ten), 0, 'of all of it'),
    },
    month('1,000 idle minions, a month', monthlyDollars(idleMonth), 5),
    { what: 'a pod: made, scheduled, running, deleted', ours: describe(pod), baseline: '-' },
    // Each pod's requests pass the Worker too.
    month('100 minions, 20 pod starts a minute, a month', monthlyDollars(busyMonth, podLives * pod.requests), 6),
  ];
}

const difference = (more: Usage, less: Usage): number =>
  (Object.keys(more) as (keyof Usage)[]).reduce((sum, key) => sum + Math.abs(more[key] - less[key]), 0);

function freeDay(what: string, used: Usage): BenchRow {
  const { share, of } = freeShare(billed(used, PERIODS_A_DAY));
  return {
    what,
    ours: `${(share * 100).toFixed(1)} % of the day's ${of}`,
    baseline: "the Free plan's quotas",
    ratio: share,
    goal: atMost(share, 0.05),
  };
}

function month(what: string, dollars: number, goal: number): BenchRow {
  const others = Object.entries(OTHERS).map(([name, price]) => `${name} $${price.toFixed(0)}`);
  return {
    what,
    ours: `$${dollars.toFixed(2)}`,
    baseline: `control planes: ${others.join(', ')}`,
    ratio: dollars / Math.min(...Object.values(OTHERS)),
    goal: atMost(dollars, goal, 'dollars'),
  };
}

const describe = (used: Usage): string =>
  `${used.requests} requests, ${used.messages} messages, ${used.alarms} alarms, ${used.rowsWritten} rows written, ${used.rowsRead} read`;

interface Counted {
  usage?: Usage;
  /** By number of minions. */
  used?: Record<string, Usage>;
}

/** Runs these tests; what the tests of each file left in their meta. @throws when one fails. */
async function countedBy(files: readonly string[]): Promise<Counted[]> {
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
      testResults: { name: string; assertionResults: { meta?: Counted }[] }[];
    };
    return files.map((file) => {
      const results = testResults.find((each) => each.name.endsWith(file))?.assertionResults ?? [];
      return Object.assign({}, ...results.map((each) => each.meta));
    });
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
