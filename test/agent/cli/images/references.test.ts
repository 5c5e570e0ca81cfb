import { describe, expect, test } from 'vitest';
import { readManifest } from '../../../../agent/cli/example/mission.ts';
import { parseLdd } from '../../../../agent/cli/images/from-packages.ts';
import { imagesOf, MADE_IMAGES, repositoryOf, substituteImages } from '../../../../agent/cli/images/references.ts';
import type { Deployment } from '../../../../shared/api/apps.ts';
import type { KubeObject } from '../../../../shared/api/meta.ts';

const containersOf = (objects: KubeObject[], name: string) =>
  (objects.find((each) => each.kind === 'Deployment' && each.metadata.name === name) as Deployment).spec.template.spec
    .containers;

describe("the example's images", () => {
  const objects = readManifest();
  const all = imagesOf(objects);

  test('are the real ones: nginx with MongoDB, nginx with Redis', () => {
    expect(all.map(repositoryOf)).toEqual(['nginx', 'mongo', 'redis']);
  });

  test('stay as they are when all can be had', () => {
    expect(substituteImages(objects, new Set())).toEqual({ objects, made: [], said: [] });
  });

  test('are made under names of their own when none can be had, and Redis stands in for MongoDB', () => {
    const before = structuredClone(objects);
    const { objects: replaced, made, said } = substituteImages(objects, new Set(all));
    expect(imagesOf(replaced)).toEqual([MADE_IMAGES.nginx, MADE_IMAGES.redis]);
    expect(made).toEqual([MADE_IMAGES.nginx, MADE_IMAGES.redis]);
    expect(containersOf(replaced, 'shop').map((each) => each.name)).toEqual(['nginx', 'redis']);
    expect(containersOf(replaced, 'shop')[1]).toEqual(containersOf(replaced, 'board')[1]);
    expect(said).toContain('mongo cannot be had, so shop runs redis in its place');
    expect(objects).toEqual(before);
  });

  test('are replaced one by one: a MongoDB that cannot be had takes the real Redis when that can be', () => {
    const mongo = all.find((image) => repositoryOf(image) === 'mongo') ?? '';
    const { objects: replaced, made } = substituteImages(objects, new Set([mongo]));
    expect(made).toEqual([]);
    expect(imagesOf(replaced).map(repositoryOf)).toEqual(['nginx', 'redis']);
  });

  test('never carry the name of the image that they stand in for', () => {
    for (const [real, made] of Object.entries(MADE_IMAGES)) {
      expect(repositoryOf(made)).not.toBe(real);
      expect(made).toMatch(/^longshore\.local\//);
    }
  });

  test('that nothing can stand in for are refused by name', () => {
    const other = structuredClone(objects) as Deployment[];
    const deployment = other.find((each) => each.kind === 'Deployment');
    if (deployment !== undefined) deployment.spec.template.spec.containers[1]!.image = 'postgres:17';
    expect(() => substituteImages(other, new Set(['postgres:17']))).toThrow('image postgres:17 cannot be pulled');
  });
});

describe('an image reference', () => {
  test.each([
    ['nginx', 'nginx'],
    ['nginx:1.28', 'nginx'],
    ['registry:5000/a/b', 'registry:5000/a/b'],
    ['registry:5000/a/b:1', 'registry:5000/a/b'],
    ['a/b@sha256:0123', 'a/b'],
    ['a/b:1@sha256:0123', 'a/b'],
  ])('%s is of repository %s', (reference, repository) => {
    expect(repositoryOf(reference)).toBe(repository);
  });
});

test("ldd's output is read: found, missing, the loader, and what the kernel brings", () => {
  const text = [
    '\tlinux-vdso.so.1 (0x00007ffc)',
    '\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)',
    '\tlibjemalloc.so.2 => not found',
    '\t/lib64/ld-linux-x86-64.so.2 (0x00007f)',
  ].join('\n');
  expect(parseLdd(text)).toEqual({
    found: ['/lib/x86_64-linux-gnu/libz.so.1', '/lib64/ld-linux-x86-64.so.2'],
    missing: ['libjemalloc.so.2'],
  });
});
