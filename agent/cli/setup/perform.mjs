// The set-up steps' effects: npm, apt-get, the Docker engine. What is to be done is decided in plan.mjs.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { linkPinnedNode, PROJECT } from './modules.mjs';
import { engineAnswers, findCommand } from './observe.mjs';

const ENGINE_DEADLINE_MS = 60_000;
const PROGRESS_EVERY_MS = 250;

/** A line that counts the seconds, on a terminal; else one line at the start and one at the end. @param {string} title */
function progress(title) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const draws = process.stderr.isTTY;
  let last = '';
  const draw = () =>
    process.stderr.write(
      `\r\x1b[K${title} ${seconds()} s  ${last.slice(0, Math.max(0, (process.stderr.columns ?? 80) - title.length - 10))}`,
    );
  if (!draws) process.stderr.write(`${title}\n`);
  const timer = draws ? setInterval(draw, PROGRESS_EVERY_MS) : undefined;
  return {
    /** @param {string} line */
    line: (line) => {
      last = line;
    },
    /** @param {boolean} well */
    end: (well) => {
      clearInterval(timer);
      process.stderr.write(`${draws ? '\r\x1b[K' : ''}${title} ${well ? 'done' : 'failed'} after ${seconds()} s\n`);
    },
  };
}

/**
 * Runs a command with its output gathered; what it said last is shown while it runs, all of it when it fails.
 * @param {string} title @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env]
 */
function run(title, command, args, env = {}) {
  const shown = progress(title);
  let output = '';
  return /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: PROJECT,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
          output = (output + text).slice(-20_000);
          shown.line(text.trimEnd().split('\n').at(-1) ?? '');
        });
      }
      const failed = (/** @type {string} */ how) => {
        shown.end(false);
        reject(new Error(`${command} ${args.join(' ')} ${how}:\n${output}`));
      };
      child.once('error', (error) => failed(error.message));
      child.once('close', (code) => {
        if (code !== 0) return failed(`exited with ${code}`);
        shown.end(true);
        resolve();
      });
    })
  );
}

/** @param {string} dataDir */
async function startEngine(dataDir) {
  const folder = join(dataDir, 'run');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
  const logPath = join(dataDir, 'logs', 'dockerd.log');
  const log = openSync(logPath, 'a', 0o640);
  const child = spawn(findCommand('dockerd') ?? 'dockerd', [], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  /** @type {string | undefined} */
  let ended;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = signal === null ? `exited with ${code}` : `killed by ${signal}`;
  });
  await waitForEngine(() => ended, logPath);
  // From now on the engine is its own master; the record lets `down --purge` end what was started here.
  writeFileSync(join(folder, 'dockerd.pid'), `${child.pid}\n`);
  child.unref();
}

/** @param {() => string | undefined} ended @param {string} [logPath] */
async function waitForEngine(ended, logPath) {
  const deadline = Date.now() + ENGINE_DEADLINE_MS;
  while (!(await engineAnswers())) {
    const how = ended() ?? (Date.now() > deadline ? `did not answer within ${ENGINE_DEADLINE_MS / 1000} s` : undefined);
    if (how !== undefined) {
      const tail =
        logPath === undefined ? '' : `\n${readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-15).join('\n')}`;
      throw new Error(`the Docker engine ${how}${tail}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** @param {import('./plan.mjs').Step} step @param {string} dataDir */
export async function performStep(step, dataDir) {
  switch (step.do) {
    case 'modules':
      await run('Installing node modules …', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=http'], {
        // npm scripts put node_modules/.bin first; npm must not run on the Node that it is about to replace.
        PATH: (process.env.PATH ?? '')
          .split(delimiter)
          .filter((each) => !each.startsWith(PROJECT))
          .join(delimiter),
        // The tools that check and bundle are development dependencies.
        NODE_ENV: 'development',
      });
      return linkPinnedNode();
    case 'packages': {
      const quiet = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' };
      await run('Reading package lists …', 'apt-get', ['update'], quiet);
      return run(`Installing ${step.packages.join(', ')} …`, 'apt-get', ['install', '-y', ...step.packages], quiet);
    }
    case 'engine': {
      // Debian's package may have started it just now.
      if (await engineAnswers()) return;
      if (step.how === 'systemctl') {
        await run('Starting the Docker engine …', 'systemctl', ['enable', '--now', 'docker']);
        return waitForEngine(() => undefined);
      }
      const shown = progress('Starting the Docker engine …');
      try {
        await startEngine(dataDir);
        shown.end(true);
      } catch (error) {
        shown.end(false);
        throw error;
      }
    }
  }
}
