import { describe, expect, test } from 'vitest';
import { hostnameOf, hostsFileOf } from '../../../agent/pods/hosts-file.ts';
import { formatResolvConf, parseResolvConf, resolvConfOf } from '../../../agent/pods/resolv-conf.ts';
import type { PodSpec } from '../../../shared/api/core.ts';
import { pod } from '../../support/builders.ts';

const CLUSTER = { domain: 'cluster.local', dnsIP: '10.96.0.10' };
const NODE = parseResolvConf('# made by hand\nnameserver 9.9.9.9\nsearch example.test\noptions timeout:2 attempts:3\n');
const IN_CLUSTER =
  'search default.svc.cluster.local svc.cluster.local cluster.local example.test\nnameserver 10.96.0.10\noptions ndots:5\n';
const OF_NODE = 'search example.test\nnameserver 9.9.9.9\noptions timeout:2 attempts:3\n';

describe('/etc/resolv.conf', () => {
  test.each<[string, Partial<PodSpec>, string]>([
    ['without a policy', {}, IN_CLUSTER],
    ['ClusterFirst', { dnsPolicy: 'ClusterFirst' }, IN_CLUSTER],
    ['ClusterFirst on the network of the host', { dnsPolicy: 'ClusterFirst', hostNetwork: true }, OF_NODE],
    ['ClusterFirstWithHostNet', { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, IN_CLUSTER],
    ['Default', { dnsPolicy: 'Default' }, OF_NODE],
    ['None', { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'] } }, 'nameserver 1.1.1.1\n'],
    [
      'a dnsConfig on top',
      {
        dnsConfig: {
          searches: ['my.test', 'cluster.local'],
          options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
        },
      },
      'search default.svc.cluster.local svc.cluster.local cluster.local example.test my.test\nnameserver 10.96.0.10\noptions ndots:2 edns0\n',
    ],
  ])('%s', (_, spec, expected) => {
    const { fellBack, ...conf } = resolvConfOf(pod('web', { spec }), NODE, CLUSTER);
    expect([formatResolvConf(conf), fellBack]).toEqual([expected, false]);
  });

  test('falls back to the node’s while the cluster is unknown, and says so', () => {
    const { fellBack, ...conf } = resolvConfOf(pod('web'), NODE, undefined);
    expect([formatResolvConf(conf), fellBack]).toEqual([OF_NODE, true]);
  });

  test('has at most three name servers', () => {
    const dnsConfig = { nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'] };
    expect(resolvConfOf(pod('web', { spec: { dnsConfig } }), NODE, CLUSTER).nameservers).toEqual([
      '10.96.0.10',
      '1.1.1.1',
      '2.2.2.2',
    ]);
  });
});

describe('/etc/hosts', () => {
  const lastLines = (text: string, count: number) => text.trimEnd().split('\n').slice(-count);

  test('names the pod by its address, in its subdomain too', () => {
    const given = { ip: '10.244.0.5', domain: 'cluster.local' };
    expect(lastLines(hostsFileOf(pod('web'), given), 1)).toEqual(['10.244.0.5\tweb']);
    const sub = pod('web', { spec: { hostname: 'one', subdomain: 'sub' } });
    expect(lastLines(hostsFileOf(sub, given), 1)).toEqual(['10.244.0.5\tone.sub.default.svc.cluster.local\tone']);
  });

  test('has the aliases of the spec', () => {
    const wanted = pod('web', { spec: { hostAliases: [{ ip: '1.2.3.4', hostnames: ['a.test', 'b.test'] }] } });
    expect(lastLines(hostsFileOf(wanted, { ip: '10.244.0.5', domain: undefined }), 2)).toEqual([
      '# Entries added by HostAliases.',
      '1.2.3.4\ta.test\tb.test',
    ]);
  });

  test('on the network of the host is that of the host', () => {
    const text = hostsFileOf(pod('web'), { hostsOfNode: '127.0.0.1 localhost\n', domain: undefined });
    expect(lastLines(text, 1)).toEqual(['127.0.0.1 localhost']);
  });

  test.each([
    ['web', 'web'],
    ['a'.repeat(70), 'a'.repeat(63)],
    [`${'a'.repeat(62)}-b`, 'a'.repeat(62)],
  ])('host name of %s', (name, expected) => {
    expect(hostnameOf(pod(name))).toBe(expected);
  });
});
