#!/usr/bin/env node
// The `longshore` command as a fresh clone can run it: plain JavaScript for any Node from 20 on, no dependency. It sees to
// it that the command's needs are met (setup/), then hands over to the TypeScript command line (main.ts) on the Node that
// is pinned in the lock file. Everything a command does is there, not here.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureReady, SetupFailed, SetupRefused } from './setup/ensure.mjs';
import { PROJECT, pinnedNode } from './setup/modules.mjs';

const args = process.argv.slice(2);

try {
  await ensureReady(args);
} catch (error) {
  if (!(error instanceof SetupRefused || error instanceof SetupFailed)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

const child = spawn(
  pinnedNode(),
  ['--disable-warning=ExperimentalWarning', join(PROJECT, 'agent/cli/main.ts'), ...args],
  {
    stdio: 'inherit',
  },
);
// A terminal gives Ctrl-C to both; whoever signals only this process means the command.
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => {});
child.once('error', (error) => {
  process.stderr.write(`longshore: ${error.message}\n`);
  process.exit(1);
});
child.once('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
