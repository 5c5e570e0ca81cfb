import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Touched } from '../../../agent/link/link.ts';
import { SqliteReplica } from '../../../agent/link/replica.ts';
import type { ConfigMap } from '../../../shared/api/core.ts';
import { SERVICE_NAME_LABEL } from '../../../shared/api/discovery.ts';
import type { Delta, Put, Welcome } from '../../../shared/link/protocol.ts';
import { metadata, node, pod, service } from '../../support/builders.ts';
import { endpoint, slice } from '../../support/service-objects.ts';

const SLICES = 'endpointslices.discovery.k8s.io' as const;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'replica-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = () => join(folder, 'state', 'replica.db');
const configMap = (name: string, value: string): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadata(name),
  data: { key: value },
});
const put = (resource: Put['resource'], object: Put['object']): Put => ({ resource, object });
const delta = (revision: number, puts: Put[], more: Partial<Delta> = {}): Delta => ({
  type: 'delta',
  revision,
  puts,
  removals: [],
  ...more,
});

test('what was applied is there after a restart, and where it stands', () => {
  const first = new SqliteReplica(file());
  expect(first.position()).toBeUndefined();
  first.apply('e1', [
    [
      delta(7, [
        put('pods', pod('a')),
        put('configmaps', configMap('c', 'one')),
        put('services', service('s', {})),
        put(SLICES, slice('s', [endpoint('10.244.1.2')])),
        put('nodes', node('n')),
      ]),
    ],
  ]);
  first.close();
  const second = new SqliteReplica(file());
  expect(second.position()).toEqual({ epoch: 'e1', revision: 7 });
  expect(second.pods()).toEqual([pod('a')]);
  expect(second.configMap('default', 'c')?.data).toEqual({ key: 'one' });
  expect(second.configMap('default', 'missing')).toBeUndefined();
  expect(second.services().map((each) => each.metadata.name)).toEqual(['s']);
  expect(second.serviceNames()).toEqual(['default/s']);
  expect(second.serviceParts('default/s').slices.map((each) => each.metadata.name)).toEqual(['s-a']);
  expect(second.nodes().map((each) => each.metadata.name)).toEqual(['n']);
  second.close();
});

test('only its owner may read it, for it holds secrets', () => {
  new SqliteReplica(file()).close();
  expect(statSync(file()).mode & 0o077).toBe(0);
});

const partsOf = ({ parts }: Touched) => [...parts].sort();

test('a delta says which parts it touched, and nothing for what stayed the same', () => {
  const replica = new SqliteReplica(':memory:');
  const puts = [put('pods', pod('a')), put('secrets', { ...configMap('x', '1'), kind: 'Secret' })];
  expect(partsOf(replica.apply('e', [[delta(1, puts)]]))).toEqual(['pods', 'references']);
  expect(partsOf(replica.apply('e', [[delta(2, puts)]]))).toEqual([]);
  const removal = { resource: 'pods' as const, namespace: 'default', name: 'a', uid: '' };
  expect(partsOf(replica.apply('e', [[delta(3, [], { removals: [removal] })]]))).toEqual(['pods']);
  expect(partsOf(replica.apply('e', [[delta(4, [], { removals: [removal] })]]))).toEqual([]);
  expect(replica.position()).toEqual({ epoch: 'e', revision: 4 });
});

test('it says which Services changed: themselves, or their slices, wherever these belong now', () => {
  const replica = new SqliteReplica(':memory:');
  const changed = (...puts: Put[]) => [...replica.apply('e', [[delta(1, puts)]]).services].sort();
  const own = slice('web', [endpoint('10.244.1.2')]);
  expect(changed(put('services', service('web', {})), put('services', service('db', {})))).toEqual([
    'default/db',
    'default/web',
  ]);
  expect(changed(put(SLICES, own))).toEqual(['default/web']);
  expect(changed(put(SLICES, own))).toEqual([]);
  const moved = { ...own, metadata: { ...own.metadata, labels: { [SERVICE_NAME_LABEL]: 'db' } } };
  expect(changed(put(SLICES, moved))).toEqual(['default/db', 'default/web']);
  expect(replica.serviceParts('default/web').slices).toEqual([]);
  const removal = { resource: SLICES, namespace: 'default', name: own.metadata.name, uid: '' };
  const touched = replica.apply('e', [[delta(2, [], { removals: [removal] })]]);
  expect(touched.services).toEqual(new Set(['default/db']));
  expect(replica.serviceParts('default/db')).toEqual({ service: service('db', {}), slices: [] });
});

test('a full delta in several parts is all there is, and says what went', () => {
  const replica = new SqliteReplica(':memory:');
  replica.apply('e', [
    [delta(1, [put('pods', pod('old')), put('pods', pod('stays')), put('services', service('gone', {}))])],
  ]);
  const touched = replica.apply('e', [
    [
      delta(9, [put('pods', pod('stays'))], { full: true, more: true }),
      delta(9, [put('services', service('s', {}))], { full: true }),
    ],
  ]);
  expect(replica.pods().map((each) => each.metadata.name)).toEqual(['stays']);
  expect(partsOf(touched)).toEqual(['pods', 'services']);
  expect(touched.services).toEqual(new Set(['default/gone', 'default/s']));
});

test('deltas that cannot be applied leave everything as it was', () => {
  const replica = new SqliteReplica(':memory:');
  replica.apply('e', [[delta(1, [put('pods', pod('a'))])]]);
  const broken = { resource: 'pods', object: { metadata: {} } } as unknown as Put;
  const deltas = [[delta(2, [put('services', service('s', {}))])], [delta(3, [put('pods', pod('b')), broken])]];
  expect(() => replica.apply('e', deltas)).toThrow();
  expect(replica.pods().map((each) => each.metadata.name)).toEqual(['a']);
  expect(replica.services()).toEqual([]);
  expect(replica.position()).toEqual({ epoch: 'e', revision: 1 });
});

test('a welcome is news only when it says something else', () => {
  const replica = new SqliteReplica(':memory:');
  const welcome: Welcome = {
    type: 'welcome',
    version: 1,
    epoch: 'e',
    cluster: {
      name: 'c',
      domain: 'cluster.local',
      dnsIP: '10.96.0.10',
      serviceCIDR: '10.96.0.0/12',
      podCIDR: '10.244.0.0/16',
    },
    nodeCIDR: '10.244.1.0/24',
  };
  expect(replica.welcome()).toBeUndefined();
  expect(replica.setWelcome(welcome)).toBe(true);
  expect(replica.setWelcome({ ...welcome })).toBe(false);
  expect(replica.welcome()).toEqual(welcome);
});
