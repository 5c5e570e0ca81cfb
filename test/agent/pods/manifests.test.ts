import { describe, expect, test } from 'vitest';
import { credentialsFor, registryOf } from '../../../agent/pods/image-credentials.ts';
import { pullPolicyOf } from '../../../agent/pods/images.ts';
import { mirrorOf, staticPodOf } from '../../../agent/pods/static-pods.ts';
import type { Secret } from '../../../shared/api/core.ts';
import { EPOCH_MS, metadata, pod } from '../../support/builders.ts';

const MANIFEST =
  'apiVersion: v1\nkind: Pod\nmetadata: {name: local}\nspec: {containers: [{name: main, image: nginx}]}\n';
const read = (text: string, path = '/m/local.yaml', node = 'Node-1') => staticPodOf(text, path, node, EPOCH_MS);

describe('a manifest file', () => {
  test('is a pod named after its node', () => {
    const found = read(MANIFEST);
    expect(found.metadata).toMatchObject({
      name: 'local-node-1',
      namespace: 'default',
      uid: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(found.metadata.annotations).toMatchObject({
      'kubernetes.io/config.source': 'file',
      'kubernetes.io/config.hash': found.metadata.uid,
    });
    expect(mirrorOf(found).metadata.annotations?.['kubernetes.io/config.mirror']).toBe(found.metadata.uid);
  });

  test('may be JSON too', () => {
    const text =
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j","namespace":"kube-system"},"spec":{"containers":[{"name":"a","image":"b"}]}}';
    expect(read(text).metadata).toMatchObject({ name: 'j-node-1', namespace: 'kube-system' });
  });

  test('is another pod when it says something else, stands elsewhere or on another node', () => {
    const uids = [
      read(MANIFEST),
      read(`${MANIFEST}#`),
      read(MANIFEST, '/m/other.yaml'),
      read(MANIFEST, undefined, 'n2'),
    ];
    expect(new Set(uids.map(({ metadata: { uid } }) => uid)).size).toBe(4);
    expect(read(MANIFEST).metadata.uid).toBe(uids[0]?.metadata.uid);
  });

  test.each([
    ['', 'expected apiVersion v1, kind Pod'],
    ['kind: Deployment\napiVersion: apps/v1', 'expected apiVersion v1, kind Pod'],
    [MANIFEST.replace('name: local', 'labels: {}'), 'metadata.name: Required value'],
    [MANIFEST.replace(/\[.*\]/, '[]'), 'spec.containers: Required value'],
    [MANIFEST.replace(', image: nginx', ''), 'every container needs a name and an image'],
    [
      MANIFEST.replace('spec: {', 'spec: {serviceAccountName: robot, '),
      'static pods may not refer to API objects: spec.serviceAccountName',
    ],
    [
      MANIFEST.replace('spec: {', 'spec: {volumes: [{name: v, secret: {secretName: s}}], '),
      'API objects: spec.volumes[v]',
    ],
    [
      MANIFEST.replace('image: nginx', 'image: nginx, envFrom: [{configMapRef: {name: c}}]'),
      'API objects: spec.containers[main].env',
    ],
    ['kind: [', 'Flow sequence'],
  ])('that is no pod is refused: %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('images', () => {
  test.each([
    ['nginx', undefined, 'Always'],
    ['nginx:latest', undefined, 'Always'],
    ['nginx:1', undefined, 'IfNotPresent'],
    ['localhost:5000/nginx', undefined, 'Always'],
    ['nginx@sha256:abc', undefined, 'IfNotPresent'],
    ['nginx', 'Never', 'Never'],
  ] as const)('%s with policy %s is pulled %s', (image, imagePullPolicy, expected) => {
    expect(pullPolicyOf({ name: 'main', image, imagePullPolicy })).toBe(expected);
  });

  test.each([
    ['nginx', 'docker.io'],
    ['library/nginx', 'docker.io'],
    ['ghcr.io/a/b:1', 'ghcr.io'],
    ['localhost:5000/a', 'localhost:5000'],
    ['localhost/a', 'localhost'],
    ['index.docker.io/a/b', 'docker.io'],
  ])('%s is in the registry %s', (image, expected) => {
    expect(registryOf(image)).toBe(expected);
  });

  test('credentials are those of the pod’s secrets for that registry', () => {
    const secretOf = (key: string, config: object): Secret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('s'),
      data: { [key]: btoa(JSON.stringify(config)) },
    });
    const secrets: Record<string, Secret> = {
      new: secretOf('.dockerconfigjson', {
        auths: {
          'https://index.docker.io/v1/': { auth: btoa('me:pass:word') },
          'ghcr.io': { username: 'u', password: 'p' },
        },
      }),
      old: secretOf('.dockercfg', { 'ghcr.io': { auth: btoa('old:pw') } }),
    };
    const references = { configMap: () => undefined, secret: (_: string, name: string) => secrets[name] };
    const wanted = pod('web', { spec: { imagePullSecrets: [{ name: 'new' }, { name: 'none' }, { name: 'old' }] } });
    expect(credentialsFor(wanted, 'nginx', references)).toEqual([
      { registry: 'https://index.docker.io/v1/', username: 'me', password: 'pass:word' },
    ]);
    expect(credentialsFor(wanted, 'ghcr.io/a/b', references).map(({ username }) => username)).toEqual(['u', 'old']);
    expect(credentialsFor(wanted, 'quay.io/a', references)).toEqual([]);
  });
});
