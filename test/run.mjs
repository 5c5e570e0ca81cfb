// `npm test`: makes the machine ready as `npm start` does, then runs every check and every test there is, and ends with one
// line that counts them. `npm test -- --only e2e` runs one project of test/vitest.config.ts. `npm run bench [-- NAME]` comes through here too, for the same set-up.
// Plain JavaScript: on a fresh clone there is no Node yet that runs TypeScript.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureReady, SetupFailed, SetupRefused } from '../agent/cli/setup/ensure.mjs';
import { PROJECT, pinnedNode } from '../agent/cli/setup/modules.mjs';
import { findCommand } from '../agent/cli/setup/observe.mjs';
import { RUN_MARK, sweepDeadRuns, sweepThisRun, WORK_PREFIX } from './sweep.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** Needed by tests alone: images are made from a static busybox, script(1) gives kubectl a terminal, openssl makes requests for certificates. */
const TEST_PACKAGES = {
  busybox: 'busybox-static',
  docker: 'docker.io',
  script: 'bsdutils',
  iptables: 'iptables',
  openssl: 'openssl',
};
/** Needed by measurements alone: what some of them compare with. The service that the package may start is not used. */
const BENCH_PACKAGES = { etcd: 'etcd-server' };
/** The kubectl to fetch where none is found. */
const KUBECTL_VERSION = 'v1.33.6';
const OLDEST_MINOR = 31;
/** One after the other; `e2e` runs beside them. */
const PROJECTS = ['unit', 'workerd-parts', 'workerd'];

const work = mkdtempSync(join(tmpdir(), `${WORK_PREFIX}${process.pid}-`));
/** How long an interrupted tool may take to end. */
const STOP_MS = 5_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
/** @type {NodeJS.Signals | undefined} */
let interrupted;

process.once('exit', () => sweepThisRun(work));
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    interrupted = signal;
    // Each child leads a group of its own. What outlives it is swept at the end.
    for (const child of running) end(child, 'SIGTERM');
    setTimeout(() => {
      for (const child of running) end(child, 'SIGKILL');
    }, STOP_MS).unref();
  });
}

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal */
function end(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/** @param {string} name of a command in node_modules @param {string[]} args @param {NodeJS.ProcessEnv} [env] @param {number | 'inherit'} [output] a file's descriptor @returns {Promise<number>} */
function runTool(name, args, env = {}, output = 'inherit') {
  if (interrupted !== undefined) return Promise.resolve(1);
  return new Promise((resolve, reject) => {
    const child = spawn(pinnedNode(), [join(PROJECT, 'node_modules/.bin', name), ...args], {
      cwd: PROJECT,
      stdio: ['ignore', output, output],
      detached: true,
      env: {
        ...process.env,
        PATH: `${join(PROJECT, 'node_modules/.bin')}:${process.env.PATH}`,
        CI: process.env.CI ?? 'true',
        // Whatever a test makes is found by these two, should the test not come to remove it.
        TMPDIR: work,
        [RUN_MARK]: String(process.pid),
        ...env,
      },
    });
    running.add(child);
    child.once('error', reject);
    child.once('exit', (code) => {
      running.delete(child);
      // Whatever the tool left in its group.
      end(child, 'SIGKILL');
      resolve(code ?? 1);
    });
  });
}

/** @param {string} title */
const heading = (title) => process.stdout.write(`\n── ${title} ${'─'.repeat(Math.max(0, 72 - title.length))}\n`);

/** A check that passes or fails as a whole counts as one test. @param {string} title @param {string} tool @param {string[]} args @returns {Promise<Counts>} */
async function staticCheck(title, tool, args) {
  heading(title);
  const code = await runTool(tool, args);
  return code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** Tests of one project, counted by vitest itself. @param {string} project @param {NodeJS.ProcessEnv} [env] @param {string[]} [left] files to leave out @param {number} [output] @returns {Promise<Counts>} */
async function vitest(project, env = {}, left = [], output = undefined) {
  if (output === undefined) heading(`tests: ${project}`);
  const report = join(work, `${project}.json`);
  const code = await runTool(
    'vitest',
    [
      'run',
      '--config',
      'test/vitest.config.ts',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...left.map((file) => `--exclude=${file}`),
    ],
    env,
    output,
  );
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const counted = JSON.parse(readFileSync(report, 'utf8'));
  const passed = counted.numPassedTests;
  const skipped = counted.numPendingTests + counted.numTodoTests;
  // A file that does not even load has no tests to fail; an error between tests belongs to none.
  const brokenFiles = counted.testResults.filter(
    (/** @type {{ status: string, assertionResults: unknown[] }} */ file) =>
      file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const failed = counted.numFailedTests + brokenFiles;
  return { passed, skipped, failed: code !== 0 && failed === 0 ? 1 : failed };
}

/** End to end, beside the others: it waits for containers half of its time. What it prints comes when it is over. @param {NodeJS.ProcessEnv | undefined} env @param {string[]} left @returns {Promise<Counts>} */
async function endToEnd(env, left) {
  const path = join(work, 'e2e.log');
  const output = openSync(path, 'w');
  try {
    return await vitest('e2e', env, left, output);
  } finally {
    closeSync(output);
    heading('tests: e2e');
    process.stdout.write(readFileSync(path));
  }
}

// ---- kubectl ----------------------------------------------------------------------------------------------------------

/** @param {string} path a kubectl; undefined when it is none, or a dispatcher */
function minorOf(path) {
  const { status, stdout } = spawnSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const { clientVersion } = JSON.parse(stdout);
  return clientVersion.gitVersion.includes('dispatcher') ? undefined : Number.parseInt(clientVersion.minor, 10);
}

/** Whether this machine has a kubectl that is new enough, under its own name or a version's beside a cloud SDK's. */
function hasKubectl() {
  for (const name of ['gcloud', 'kubectl']) {
    const command = findCommand(name);
    if (command === undefined) continue;
    const folder = dirname(realpathSync(command));
    for (const file of readdirSync(folder)) {
      if (!/^kubectl(\.1\.\d+)?$/.test(file)) continue;
      if ((minorOf(join(folder, file)) ?? 0) >= OLDEST_MINOR) return true;
    }
  }
  return false;
}

/** @param {string} url */
async function download(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(120_000) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** @returns {Promise<string | undefined>} the path of an official kubectl, fetched once, when there is no other */
async function fetchKubectl() {
  const folder = join(PROJECT, 'node_modules/.cache/longshore');
  const path = join(folder, `kubectl-${KUBECTL_VERSION}`);
  if (existsSync(path)) return path;
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const url = `https://dl.k8s.io/release/${KUBECTL_VERSION}/bin/linux/${architecture}/kubectl`;
  process.stdout.write(`No kubectl 1.${OLDEST_MINOR} or later is here; fetching ${url} …\n`);
  try {
    const checksum = await download(`${url}.sha256`);
    const binary = await download(url);
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', binary)).toString('hex');
    if (digest !== checksum.toString('utf8').trim())
      throw new Error(`${url} does not have the checksum that is published for it`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, binary);
    chmodSync(path, 0o755);
    return path;
  } catch (error) {
    process.stdout.write(`kubectl cannot be had: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

/** What the tests get to know of kubectl through their environment. @returns {Promise<NodeJS.ProcessEnv | undefined>} undefined: there is none */
async function kubectlEnvironment() {
  if (hasKubectl()) return {};
  const fetched = await fetchKubectl();
  if (fetched !== undefined) return { LONGSHORE_TEST_KUBECTL: fetched };
  return undefined;
}

/** @param {string} path in test/e2e; how many tests it is written with */
const testsIn = (path) =>
  [...readFileSync(join(PROJECT, 'test/e2e', path), 'utf8').matchAll(/^\s*(?:test|it)(?:\.each\([^)]*\))?\(/gm)].length;

/** Test files that need kubectl, with the number of tests that each is written with; a folder is one suite. @returns {{ file: string, tests: number }[]} */
function kubectlTests() {
  const paths = readdirSync(join(PROJECT, 'test/e2e'), { encoding: 'utf8', recursive: true });
  return paths
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => readFileSync(join(PROJECT, 'test/e2e', path), 'utf8').includes('/support/kubectl.ts'))
    .map((path) => {
      const parts = path.includes('/') ? paths.filter((each) => dirname(each) === dirname(path)) : [path];
      return { file: `test/e2e/${path}`, tests: parts.reduce((sum, each) => sum + testsIn(each), 0) };
    });
}

// ---- All of it --------------------------------------------------------------------------------------------------------

/** @param {string | undefined} only one project, without the static checks */
async function test(only) {
  const env = await kubectlEnvironment();
  const left = env === undefined ? kubectlTests() : [];
  /** @type {Counts[]} */
  const counts = [];
  if (only === undefined) {
    counts.push(await staticCheck('biome check', 'biome', ['check', '.']));
    counts.push(await staticCheck('tsc -b', 'tsc', ['-b']));
    counts.push(await staticCheck('knip', 'knip', []));
    const dryRun = ['deploy', '--dry-run', '--outdir', join(work, 'deploy')];
    counts.push(await staticCheck('wrangler deploy --dry-run', 'wrangler', dryRun));
  }
  const files = left.map(({ file }) => file);
  const projects = only === undefined ? PROJECTS : [only];
  const beside = only === undefined ? endToEnd(env, files) : undefined;
  for (const project of projects) counts.push(await vitest(project, env, files));
  if (beside !== undefined) counts.push(await beside);
  if (left.length > 0) {
    process.stdout.write(
      `\nNOT RUN, because there is no kubectl (counted as skipped):\n${left.map(({ file, tests }) => `  ${file}: ${tests} tests\n`).join('')}`,
    );
    counts.push({ passed: 0, failed: 0, skipped: left.reduce((sum, { tests }) => sum + tests, 0) });
  }
  const total = counts.reduce((sum, each) => ({
    passed: sum.passed + each.passed,
    failed: sum.failed + each.failed,
    skipped: sum.skipped + each.skipped,
  }));
  if (interrupted !== undefined) process.stdout.write(`\nInterrupted by ${interrupted}; what was left did not run.\n`);
  const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
  return total.failed === 0 && interrupted === undefined ? 0 : 1;
}

const args = process.argv.slice(2);
try {
  sweepDeadRuns();
  const bench = args.indexOf('--bench');
  const needed = { ...TEST_PACKAGES, ...(bench === -1 ? {} : BENCH_PACKAGES) };
  const missing = Object.entries(needed).filter(([command]) => findCommand(command) === undefined);
  await ensureReady(['test', ...args], { extraPackages: missing.map(([, name]) => name) });
  process.exitCode =
    bench === -1 ? await test(args[args.indexOf('--only') + 1 || args.length]) : await runBench(args.slice(bench + 1));
} catch (error) {
  if (!(error instanceof SetupRefused || error instanceof SetupFailed)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

/** @param {string[]} names */
function runBench(names) {
  return /** @type {Promise<number>} */ (
    new Promise((resolve, reject) => {
      const child = spawn(
        pinnedNode(),
        ['--disable-warning=ExperimentalWarning', join(PROJECT, 'test/bench/main.ts'), ...names],
        {
          cwd: PROJECT,
          stdio: 'inherit',
        },
      );
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    })
  );
}
