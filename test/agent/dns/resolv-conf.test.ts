import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseUpstream, upstreamSource, upstreamsIn } from '../../../agent/dns/resolv-conf.ts';

test('upstreams are the nameservers of resolv.conf, without ourselves', () => {
  const text = '# comment\nsearch example.com\nnameserver 10.96.0.10\n nameserver 127.0.0.53\nnameserver fd00::1\n';
  expect(upstreamsIn(text, ['10.96.0.10'])).toEqual([
    { address: '127.0.0.53', port: 53 },
    { address: 'fd00::1', port: 53 },
  ]);
});

test.each([
  ['1.1.1.1', { address: '1.1.1.1', port: 53 }],
  ['1.1.1.1:5353', { address: '1.1.1.1', port: 5353 }],
  ['fd00::1', { address: 'fd00::1', port: 53 }],
  ['[fd00::1]:5353', { address: 'fd00::1', port: 5353 }],
])('%s names a server', (text, expected) => {
  expect(parseUpstream(text)).toEqual(expected);
});

test.each(['dns.example.com', '', '1.1.1.1:', 'tls://1.1.1.1'])('%s names none', (text) => {
  expect(() => parseUpstream(text)).toThrow('not the address of a DNS server');
});

test('a changed resolv.conf is followed, a missing one means no servers', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'resolv-'));
  const path = join(directory, 'resolv.conf');
  let nowMs = 0;
  const source = upstreamSource({ configured: [], own: [], path, now: () => nowMs });
  expect(await source()).toEqual([]);
  await writeFile(path, 'nameserver 192.0.2.1\n');
  nowMs += 5000;
  expect(await source()).toEqual([{ address: '192.0.2.1', port: 53 }]);
  await rm(directory, { recursive: true });
});
