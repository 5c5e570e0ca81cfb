import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lowestOomScore } from '../../../agent/runtime/oom-score.ts';
import { pauseProgram } from '../../../agent/runtime/pause-program.ts';
import { tarOf } from '../../../agent/runtime/tar.ts';
import { eventually } from '../../support/eventually.ts';

/** The machine instructions after the headers, as 32-bit words. */
const arm64Words = () => {
  const code = pauseProgram('arm64').subarray(64 + 56);
  return Array.from({ length: code.length / 4 }, (_, index) =>
    code
      .readUInt32LE(index * 4)
      .toString(16)
      .padStart(8, '0'),
  );
};

test('both programs are executables for their machine whose entry is the first instruction', () => {
  for (const [architecture, machine] of [
    ['x64', 62],
    ['arm64', 183],
  ] as const) {
    const file = pauseProgram(architecture);
    expect(file.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    expect([file.readUInt16LE(16), file.readUInt16LE(18)]).toEqual([2, machine]);
    expect(file.readBigUInt64LE(24) - file.readBigUInt64LE(80)).toBe(120n);
    expect(file.readBigUInt64LE(96)).toBe(BigInt(file.length));
  }
});

test('the AArch64 program is what an assembler makes of its listing', () => {
  expect(arm64Words()).toEqual([
    'd2800000',
    '10000361',
    'd2800002',
    'd2800103',
    'd28010e8',
    'd4000001', // start
    '100002c0',
    'd2800001',
    'd2800002',
    'd2800103',
    'd2801128',
    'd4000001', // wait
    'f1003c1f',
    '54000180',
    'f100081f',
    '54000140', // cmp, b.eq exit
    '92800000',
    'd2800001',
    'd2800022',
    'd2800003',
    'd2802088',
    'd4000001', // reap
    'f100001f',
    '54ffff2c',
    '17ffffee', // cmp, b.gt reap, b wait
    'd2800000',
    'd2800ba8',
    'd4000001', // exit
    'ffffffff',
    'ffffffff', // mask
  ]);
});

test.runIf(process.arch === 'x64' && process.platform === 'linux').each(['SIGTERM', 'SIGINT'] as const)(
  'the x86-64 program waits, and ends with 0 at %s',
  async (signal) => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore-pause-'));
    try {
      const path = join(folder, 'pause');
      writeFileSync(path, pauseProgram('x64'), { mode: 0o755 });
      const child = spawn(path);
      const proc = `/proc/${child.pid}`;
      const state = () =>
        `${readlinkSync(`${proc}/exe`)} ${/^State:.*$/m.exec(readFileSync(`${proc}/status`, 'utf8'))}`;
      // It sleeps only where it waits for a signal.
      await eventually('it to wait', () => state() === `${path} State:\tS (sleeping)`, { describe: state });
      child.kill('SIGUSR1');
      child.kill('SIGHUP');
      expect(child.exitCode).toBeNull();
      child.kill(signal);
      expect(await once(child, 'exit')).toEqual([0, null]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('tar reads back what was written', () => {
  const archive = tarOf([
    { path: 'pause', mode: 0o755, content: Buffer.from('x'.repeat(700)) },
    { path: 'etc/empty', mode: 0o600, content: Buffer.alloc(0) },
  ]);
  const listing = execFileSync('tar', ['-tvf', '-'], {
    input: archive,
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
  });
  expect(
    listing
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' ')),
  ).toEqual(['-rwxr-xr-x 0/0 700 1970-01-01 00:00 pause', '-rw------- 0/0 0 1970-01-01 00:00 etc/empty']);
  expect(() => tarOf([{ path: 'x'.repeat(101), mode: 0o644, content: Buffer.alloc(0) }])).toThrow(/too long/);
});

test.each([
  ['000001ffffffffff', '0', -1000],
  ['000001fffeffffff', '0', 0],
  ['000001fffeffffff', '-500', -500],
])('with the capabilities %s and an own score of %s the lowest is %i', (capabilities, own, expected) => {
  expect(lowestOomScore(`Name:\tnode\nCapEff:\t${capabilities}\n`, `${own}\n`)).toBe(expected);
});
