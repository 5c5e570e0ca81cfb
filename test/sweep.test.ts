import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { makerOf, markedProcesses, RUN_MARK } from './sweep.mjs';

test.each([
  ['lt-o0na7b6-hub', 31127],
  ['lt-aff00-m-1', 10],
  ['somebody-elses', undefined],
  ['lt-', undefined],
])('the maker of network namespace %s is process %s', (name, pid) => {
  expect(makerOf(name)).toBe(pid);
});

test('the processes of a run are told by the mark in their environment, also when their parent is gone', async () => {
  const run = 2 ** 31 + Math.floor(Math.random() * 2 ** 20);
  const env = { ...process.env, [RUN_MARK]: String(run) };
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!'], { env, detached: true });
  const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
  const orphan = Number(pid.toString());
  try {
    if (parent.exitCode === null) await once(parent, 'exit');
    expect(markedProcesses(run)).toEqual([orphan]);
    expect(markedProcesses(run + 1)).toEqual([]);
  } finally {
    process.kill(orphan, 'SIGKILL');
  }
});
