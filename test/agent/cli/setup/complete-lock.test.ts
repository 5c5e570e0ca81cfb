import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lackingEntries, platformOf } from '../../../../agent/cli/setup/complete-lock.mjs';
import { PROJECT } from '../../../../agent/cli/setup/modules.mjs';

describe('the lock file', () => {
  test('has an entry for every optional package of every machine, or `npm ci` refuses it (mend it with `npm run lock`)', () => {
    const { packages } = JSON.parse(readFileSync(`${PROJECT}/package-lock.json`, 'utf8'));
    expect(lackingEntries(packages).map(([path]) => path)).toEqual([]);
  });

  test('gets what it lacks, dev like its parent, and nothing that has no platform in its name', () => {
    const optionalDependencies = {
      '@x/tool-linux-x64-musl': '1.0.0',
      '@x/tool-darwin-arm64': '1.0.0',
      fsevents: '2.0.0',
    };
    const packages = {
      'node_modules/@x/tool': { version: '1.0.0', dev: true, optionalDependencies },
      'node_modules/@x/tool-darwin-arm64': { version: '1.0.0' },
    };
    expect(lackingEntries(packages)).toEqual([
      [
        'node_modules/@x/tool-linux-x64-musl',
        { version: '1.0.0', dev: true, optional: true, os: ['linux'], cpu: ['x64'], libc: ['musl'] },
      ],
    ]);
  });
});

test.each([
  ['@biomejs/cli-win32-arm64', { os: ['win32'], cpu: ['arm64'] }],
  ['@oxc-parser/binding-linux-arm-musleabihf', { os: ['linux'], cpu: ['arm'], libc: ['musl'] }],
  ['@oxc-parser/binding-win32-ia32-msvc', { os: ['win32'], cpu: ['ia32'] }],
  ['fsevents', undefined],
])('%s runs on %j', (name, platform) => {
  expect(platformOf(name)).toEqual(platform);
});
