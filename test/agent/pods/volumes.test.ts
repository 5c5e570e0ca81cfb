import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeAtomically } from '../../../agent/pods/atomic-writer.ts';
import { podFiles } from '../../../agent/pods/pod-files.ts';
import type { ContentSources } from '../../../agent/pods/volume-contents.ts';
import { mountsOf, prepareVolumes, removePodFiles } from '../../../agent/pods/volumes.ts';
import type { Container, Volume } from '../../../shared/api/core.ts';
import { EPOCH_MS, metadata, pod } from '../../support/builders.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'longshore-volumes-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const config = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadata('cm'),
  data: { a: 'A', b: 'B' },
  binaryData: { c: btoa('\0') },
};
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: metadata('s'), data: { key: btoa('hidden') } };
const sources: ContentSources = {
  references: {
    configMap: (_, name) => (name === 'cm' ? config : undefined),
    secret: (_, name) => (name === 's' ? secret : undefined),
  },
  facts: { nodeIP: '192.168.0.9', podIP: undefined, cpuMilli: 2000, memoryBytes: 1 << 30 },
  tokens: async (namespace, account, audience, seconds) => [namespace, account, audience, seconds].join(' '),
};

const prepare = (volume: Volume, given: Partial<ContentSources> = {}) => {
  const wanted = pod('web', { spec: { volumes: [volume] }, metadata: { labels: { b: '2', a: '1' } } });
  return prepareVolumes(wanted, podFiles(root, 'uid'), { ...sources, ...given }, EPOCH_MS);
};

const contents = (plugin: string) => {
  const folder = podFiles(root, 'uid').volume(`kubernetes.io~${plugin}`, 'v');
  const data = join(folder, readlinkSync(join(folder, '..data')));
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  const paths = files.map((each) => join(each.parentPath, each.name));
  return Object.fromEntries(
    paths.map((path) => [
      path.slice(data.length + 1),
      [readFileSync(path, 'latin1'), (statSync(path).mode & 0o777).toString(8)],
    ]),
  );
};

describe('files of the cluster’s objects', () => {
  test('a configmap, whole', async () => {
    await prepare({ name: 'v', configMap: { name: 'cm' } });
    expect(contents('configmap')).toEqual({ a: ['A', '644'], b: ['B', '644'], c: ['\0', '644'] });
  });

  test('a configmap, chosen keys with modes', async () => {
    const items = [
      { key: 'a', path: 'x/y' },
      { key: 'b', path: 'z', mode: 0o600 },
    ];
    await prepare({ name: 'v', configMap: { name: 'cm', items, defaultMode: 0o640 } });
    expect(contents('configmap')).toEqual({ 'x/y': ['A', '640'], z: ['B', '600'] });
  });

  test('a secret', async () => {
    await prepare({ name: 'v', secret: { secretName: 's', defaultMode: 0o400 } });
    expect(contents('secret')).toEqual({ key: ['hidden', '400'] });
  });

  test('the downward API', async () => {
    const items = [
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
      { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
    ];
    await prepare({ name: 'v', downwardAPI: { items } });
    expect(contents('downward-api')).toEqual({ labels: ['a="1"\nb="2"', '644'], name: ['web', '644'] });
  });

  test('all of them in one, with a token', async () => {
    const projected = {
      sources: [
        { configMap: { name: 'cm', items: [{ key: 'a', path: 'a' }] } },
        { secret: { name: 's' } },
        { downwardAPI: { items: [{ path: 'uid', fieldRef: { fieldPath: 'metadata.uid' } }] } },
        { serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 600 } },
      ],
    };
    await prepare({ name: 'v', projected });
    expect(contents('projected')).toEqual({
      a: ['A', '644'],
      key: ['hidden', '644'],
      uid: ['uid-web', '644'],
      token: ['default default vault 600', '644'],
    });
  });

  test.each<[Volume, string]>([
    [{ name: 'v', configMap: { name: 'none' } }, 'configmap "none" not found'],
    [{ name: 'v', secret: { secretName: 'none' } }, 'secret "none" not found'],
    [
      { name: 'v', configMap: { name: 'cm', items: [{ key: 'z', path: 'z' }] } },
      'configmap references non-existent config key: z',
    ],
    [{ name: 'v', emptyDir: { medium: 'HugePages' } }, 'Longshore does not support emptyDir with the medium HugePages'],
    [{ name: 'v', nfs: {} } as Volume, 'Longshore does not support volumes of type nfs'],
  ])('%j is refused with its reason', async (volume, message) => {
    await expect(prepare(volume)).rejects.toThrow(`MountVolume.SetUp failed for volume "v" : ${message}`);
  });

  test('a token is refused by name where there is nobody to ask for it', async () => {
    const projected = { sources: [{ serviceAccountToken: { path: 'token' } }] };
    await expect(prepare({ name: 'v', projected }, { tokens: undefined })).rejects.toThrow(/serviceAccountToken/);
  });

  test('what is optional may be missing', async () => {
    await prepare({ name: 'v', configMap: { name: 'none', optional: true } });
    expect(contents('configmap')).toEqual({});
  });
});

describe('an update', () => {
  const payload = (files: Record<string, string>) =>
    new Map(Object.entries(files).map(([path, text]) => [path, { content: Buffer.from(text), mode: 0o644 }]));
  const write = (files: Record<string, string>) =>
    writeAtomically(join(root, 'v'), payload(files), { nowMs: EPOCH_MS });
  const visible = () =>
    readdirSync(join(root, 'v'))
      .filter((name) => !name.startsWith('..'))
      .sort();

  test('is seen as a whole, through one link, and leaves nothing of the old', async () => {
    expect(await write({ a: '1', 'b/c': '2', old: '3' })).toBe(true);
    expect(lstatSync(join(root, 'v/a')).isSymbolicLink()).toBe(true);
    expect(await write({ a: '4', 'b/d': '5' })).toBe(true);
    expect(visible()).toEqual(['a', 'b']);
    expect([readFileSync(join(root, 'v/a'), 'utf8'), readdirSync(join(root, 'v/b'))]).toEqual(['4', ['d']]);
    expect(readdirSync(join(root, 'v')).filter((name) => name.startsWith('..2'))).toHaveLength(1);
  });

  test('with nothing new writes nothing', async () => {
    await write({ a: '1' });
    const before = readlinkSync(join(root, 'v/..data'));
    expect(await write({ a: '1' })).toBe(false);
    expect(readlinkSync(join(root, 'v/..data'))).toBe(before);
  });
});

describe('hostPath', () => {
  const check = (type: string | undefined, path: string) =>
    prepare({ name: 'v', hostPath: { path: join(root, path), type } });
  beforeEach(() => {
    mkdirSync(join(root, 'folder'));
    writeFileSync(join(root, 'file'), '');
  });

  test.each([
    ['Directory', 'file', 'directory'],
    ['Directory', 'none', 'directory'],
    ['File', 'folder', 'file'],
    ['File', 'none', 'file'],
    ['DirectoryOrCreate', 'file', 'directory'],
    ['FileOrCreate', 'folder', 'file'],
    ['Socket', 'file', 'socket'],
    ['CharDevice', 'file', 'character device'],
    ['BlockDevice', 'file', 'block device'],
  ])('type %s refuses %s', async (type, path, name) => {
    await expect(check(type, path)).rejects.toThrow(`hostPath type check failed: ${join(root, path)} is not a ${name}`);
  });

  test('what may be made is made; what is right stays', async () => {
    for (const [type, path] of [
      ['Directory', 'folder'],
      ['File', 'file'],
      ['DirectoryOrCreate', 'new'],
      ['FileOrCreate', 'newfile'],
      ['', 'any'],
    ] as const)
      await check(type, path);
    expect(readdirSync(root).sort()).toEqual(['any', 'file', 'folder', 'new', 'newfile']);
    const server = createServer().listen(join(root, 'socket'));
    await check('Socket', 'socket');
    server.close();
  });

  test('an unknown type is refused', async () => {
    await expect(check('Door', 'file')).rejects.toThrow('is an invalid volume type: Door');
  });
});

describe('mounts', () => {
  const volumes: Volume[] = [
    { name: 'data', emptyDir: {} },
    { name: 'cm', configMap: { name: 'cm' } },
    { name: 'host', hostPath: { path: '/srv' } },
  ];
  const mounts = async (volumeMounts: Container['volumeMounts']) => {
    const container = { name: 'main', volumeMounts };
    const wanted = pod('web', { spec: { containers: [container], volumes } });
    const files = podFiles(root, 'uid');
    await prepareVolumes(wanted, files, sources, EPOCH_MS);
    const all = await mountsOf(wanted, container, files, (text) => text.replace('$(NAME)', 'named'));
    return all.map(({ hostPath, containerPath, readOnly }) => [
      hostPath.replace(files.volumes, ''),
      containerPath,
      readOnly,
    ]);
  };

  test('whole volumes: what the kubelet writes is read-only', async () => {
    const all = [
      { name: 'data', mountPath: '/data' },
      { name: 'cm', mountPath: 'etc/cm' },
      { name: 'host', mountPath: '/srv', readOnly: true },
    ];
    expect(await mounts(all)).toEqual([
      ['/kubernetes.io~empty-dir/data', '/data', false],
      ['/kubernetes.io~configmap/cm', '/etc/cm', true],
      ['/srv', '/srv', true],
    ]);
  });

  test('parts of volumes are made where that is allowed', async () => {
    expect(await mounts([{ name: 'data', mountPath: '/x', subPath: 'a/b' }])).toEqual([
      ['/kubernetes.io~empty-dir/data/a/b', '/x', false],
    ]);
    expect(await mounts([{ name: 'data', mountPath: '/x', subPathExpr: '$(NAME)' }])).toEqual([
      ['/kubernetes.io~empty-dir/data/named', '/x', false],
    ]);
    const [[path]] = (await mounts([{ name: 'cm', mountPath: '/x', subPath: 'a' }])) as [[string]];
    expect(path).toMatch(/^\/kubernetes.io~configmap\/cm\/\.\.\d.*\/a$/);
    await expect(mounts([{ name: 'cm', mountPath: '/x', subPath: 'none' }])).rejects.toThrow('is not in volume');
  });

  test.each(['../up', '/etc', 'a/../../b'])('a part may not lie outside: %s', async (subPath) => {
    await expect(mounts([{ name: 'data', mountPath: '/x', subPath }])).rejects.toThrow('must be relative');
  });

  test('nor be led outside by a link that a container made', async () => {
    await mounts([{ name: 'data', mountPath: '/x' }]);
    symlinkSync('/etc', join(podFiles(root, 'uid').volume('kubernetes.io~empty-dir', 'data'), 'link'));
    await expect(mounts([{ name: 'data', mountPath: '/x', subPath: 'link' }])).rejects.toThrow('leads out of volume');
  });

  test('of a volume that is not there are refused', async () => {
    await expect(mounts([{ name: 'none', mountPath: '/x' }])).rejects.toThrow('cannot find volume "none"');
  });
});

test('removing a pod’s files does not follow links out of them', async () => {
  const outside = join(root, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), '');
  await prepare({ name: 'v', emptyDir: {} });
  const files = podFiles(root, 'uid');
  symlinkSync(outside, join(files.volume('kubernetes.io~empty-dir', 'v'), 'link'));
  await removePodFiles(files);
  expect([readdirSync(join(root, 'pods')), readdirSync(outside)]).toEqual([[], ['kept']]);
});
