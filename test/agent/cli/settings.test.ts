import { describe, expect, test } from 'vitest';
import { nodeNameOf, resolveSettings } from '../../../agent/cli/settings.ts';

describe('settings', () => {
  test('are the defaults when nothing was said', () => {
    expect(resolveSettings('/d', {}, {}, 'Box_1')).toEqual({
      dataDir: '/d',
      listen: [],
      apiPort: 6443,
      publicPort: 8080,
      minion: {
        nodeName: 'box-1',
        dockerSocket: '/var/run/docker.sock',
        instance: 'longshore',
        dnsPort: 53,
        manifestDir: '/etc/longshore/manifests',
      },
    });
  });

  test('take flags over what was kept, and what was kept over the defaults', () => {
    const kept = { apiPort: 7443, publicPort: 9090, minion: { nodeName: 'kept', dnsPort: 5353 } };
    const flags = { apiPort: 8443, publicPort: undefined, minion: { nodeName: 'given', dnsPort: undefined } };
    const settings = resolveSettings('/d', kept, flags, 'box');
    expect(settings).toMatchObject({ apiPort: 8443, publicPort: 9090 });
    expect(settings.minion).toMatchObject({ nodeName: 'given', dnsPort: 5353 });
  });
});

describe('a node name', () => {
  test.each([
    ['web-1', 'web-1'],
    ['Web_1.Example.COM', 'web-1.example.com'],
    ['-edge-', 'edge'],
    ['日本', 'minion'],
  ])('of host %s is %s', (host, name) => {
    expect(nodeNameOf(host)).toBe(name);
  });
});
