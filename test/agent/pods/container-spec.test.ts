import { describe, expect, test } from 'vitest';
import { containerSpecOf } from '../../../agent/pods/container-spec.ts';
import { viewOf } from '../../../agent/pods/containers-of-pod.ts';
import type { Container, PodSpec } from '../../../shared/api/core.ts';
import { pod } from '../../support/builders.ts';

function specOf(container: Partial<Container>, spec: Partial<PodSpec> = {}, imageUser = '') {
  const wanted = pod('web', { spec: { containers: [{ name: 'main', image: 'nginx', ...container }], ...spec } });
  const [view] = viewOf(wanted, { sandboxes: [], containers: [] }).mains;
  return containerSpecOf(wanted, view!, {
    attempt: 2,
    backOffSeconds: 40,
    imageUser,
    env: [{ name: 'GREETING', value: 'hello' }],
    mounts: [],
    machine: { cpuMilli: 2000, memoryBytes: 1 << 30 },
  });
}

test('commands see the environment', () => {
  const given = specOf({ command: ['echo', '$(GREETING)'], args: ['$(NONE)', '$$(GREETING)'] });
  expect([given.command, given.args]).toEqual([
    ['echo', 'hello'],
    ['$(NONE)', '$(GREETING)'],
  ]);
  expect(specOf({ command: [], args: [] })).toMatchObject({ command: undefined, args: undefined });
});

test('a restart must know the attempt and its back-off from labels alone', () => {
  expect(specOf({}, { terminationGracePeriodSeconds: 5 })).toMatchObject({
    attempt: 2,
    stopSignalGraceSeconds: 5,
    labels: { 'dev.longshore.back-off-seconds': '40', 'io.kubernetes.pod.terminationGracePeriod': '5' },
  });
});

describe('resources', () => {
  test.each([
    [{}, { cpuShares: 2, oomScoreAdjust: 1000 }],
    [{ requests: { cpu: '250m' } }, { cpuShares: 256, oomScoreAdjust: 999 }],
    [{ limits: { cpu: '500m' } }, { cpuShares: 512, cpuNano: 500_000_000, oomScoreAdjust: 999 }],
    [{ limits: { cpu: '64' } }, { cpuShares: 65_536, cpuNano: 2_000_000_000, oomScoreAdjust: 999 }],
    [{ limits: { memory: '256Mi' } }, { cpuShares: 2, memoryBytes: 256 << 20, oomScoreAdjust: 750 }],
    [
      { limits: { cpu: '1', memory: '256Mi' }, requests: { cpu: '1', memory: '256Mi' } },
      { cpuShares: 1024, cpuNano: 1_000_000_000, memoryBytes: 256 << 20, oomScoreAdjust: -997 },
    ],
  ])('%j', (resources, expected) => {
    expect(specOf({ resources }).resources).toEqual({ cpuNano: 0, memoryBytes: 0, ...expected });
  });
});

describe('users and groups', () => {
  test.each<[Partial<Container>, Partial<PodSpec>, string, string | undefined]>([
    [{}, {}, '', undefined],
    [{}, {}, 'www', undefined],
    [{ securityContext: { runAsUser: 5 } }, { securityContext: { runAsUser: 6 } }, '', '5'],
    [{}, { securityContext: { runAsUser: 6, runAsGroup: 7 } }, '', '6:7'],
    [{}, { securityContext: { runAsGroup: 7 } }, 'www:x', 'www:7'],
    [{}, { securityContext: { runAsGroup: 7 } }, '', '0:7'],
  ])('%j in %j over %j is %j', (container, spec, imageUser, expected) => {
    expect(specOf(container, spec, imageUser).user).toBe(expected);
  });

  test('supplemental groups and fsGroup', () => {
    expect(specOf({}, { securityContext: { supplementalGroups: [3, 4], fsGroup: 5 } }).groups).toEqual([3, 4, 5]);
  });

  const nonRoot = { securityContext: { runAsNonRoot: true } };
  test.each([
    ['', 'container has runAsNonRoot and image will run as root (pod: "web_default(uid-web)", container: main)'],
    ['0:0', 'container has runAsNonRoot and image will run as root'],
    ['www', 'container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root'],
  ])('runAsNonRoot refuses an image with user %j', (imageUser, message) => {
    expect(() => specOf({}, nonRoot, imageUser)).toThrow(message);
  });

  test('runAsNonRoot accepts a number other than 0, of the image or of the spec', () => {
    expect(specOf({}, nonRoot, '1000').user).toBeUndefined();
    expect(specOf({ securityContext: { runAsUser: 5 } }, nonRoot).user).toBe('5');
    expect(() => specOf({ securityContext: { runAsUser: 0 } }, nonRoot)).toThrow(
      "container's runAsUser breaks non-root",
    );
  });
});

test('what cannot be kept is refused by name', () => {
  const seccompProfile = { type: 'Localhost', localhostProfile: 'x.json' };
  expect(() => specOf({ securityContext: { seccompProfile } })).toThrow(
    'does not support seccompProfile of type Localhost',
  );
});

test('namespaces that are shared', () => {
  expect(specOf({})).toMatchObject({ processes: 'container', ipc: 'pod' });
  expect(specOf({}, { shareProcessNamespace: true })).toMatchObject({ processes: 'pod' });
  expect(specOf({}, { hostPID: true, hostIPC: true })).toMatchObject({ processes: 'host', ipc: 'host' });
});
