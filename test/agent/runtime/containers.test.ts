import type Docker from 'dockerode';
import { describe, expect, test } from 'vitest';
import { observe, sandboxBody } from '../../../agent/runtime/containers.ts';
import { withTag } from '../../../agent/runtime/images.ts';
import { containerName, sandboxLabels, sandboxName } from '../../../agent/runtime/naming.ts';
import type { ContainerSpec, SandboxSpec } from '../../../agent/runtime/runtime.ts';
import { usageOf } from '../../../agent/runtime/stats.ts';

const POD = { namespace: 'shop', name: 'web-1', uid: 'abc' };
const SANDBOX: SandboxSpec = {
  pod: POD,
  hostname: 'web-1',
  hostNetwork: false,
  hostPID: false,
  hostIPC: false,
  attempt: 2,
  sysctls: {},
  labels: {},
};

const ZERO = '0001-01-01T00:00:00Z';
const inspected = (state: Partial<Docker.ContainerInspectInfo['State']>) =>
  observe({
    Id: 'id',
    Created: '2026-01-01T00:00:00Z',
    Image: 'sha256:1',
    Config: { Image: 'pause', Labels: sandboxLabels('longshore', SANDBOX) },
    HostConfig: { NanoCpus: 500_000_000, CpuShares: 256 },
    State: {
      Status: 'created',
      Running: false,
      Error: '',
      StartedAt: ZERO,
      FinishedAt: ZERO,
      ExitCode: 0,
      Pid: 0,
      ...state,
    },
  } as Docker.ContainerInspectInfo);

test('names are those of kubelet, with the instance when it is another', () => {
  expect(sandboxName('longshore', SANDBOX)).toBe('k8s_POD_web-1_shop_abc_2');
  const container = { pod: POD, name: 'main', attempt: 3 } as ContainerSpec;
  expect(containerName('longshore', container)).toBe('k8s_main_web-1_shop_abc_3');
  expect(containerName('second', container)).toBe('k8s-second_main_web-1_shop_abc_3');
});

test('a sandbox on the network of the host has no host name of its own', () => {
  expect(sandboxBody('longshore', SANDBOX, -1000)).toMatchObject({
    Hostname: 'web-1',
    HostConfig: { NetworkMode: 'none', OomScoreAdj: -998 },
  });
  const host = sandboxBody('longshore', { ...SANDBOX, hostNetwork: true }, 0);
  expect(host.Hostname).toBeUndefined();
  expect(host.HostConfig).toMatchObject({ NetworkMode: 'host', OomScoreAdj: 0 });
});

describe('what the engine says of a container', () => {
  test.each([
    ['made', {}, { state: 'created', pid: 0 }],
    [
      'running',
      { Status: 'running', Running: true, Pid: 7, StartedAt: 's' },
      { state: 'running', pid: 7, startedAt: 's' },
    ],
    [
      'ended',
      { Status: 'exited', ExitCode: 3, StartedAt: 's', FinishedAt: 'f', OOMKilled: true },
      { state: 'exited', exitCode: 3, startedAt: 's', finishedAt: 'f', oomKilled: true },
    ],
    [
      'not started',
      { Status: 'created', ExitCode: 127, Error: 'no such file' },
      { state: 'exited', exitCode: 128, error: 'no such file', startedAt: '2026-01-01T00:00:00Z' },
    ],
  ])('%s', (_, state, expected) => {
    const common = { id: 'id', pod: POD, kind: 'sandbox', name: '', attempt: 2 };
    const resources = { cpuNano: 500_000_000, cpuShares: 256, memoryBytes: 0 };
    expect(inspected(state)).toMatchObject({ ...common, resources, ...expected });
  });
});

test.each([
  ['nginx', 'nginx:latest'],
  ['nginx:1', 'nginx:1'],
  ['localhost:5000/nginx', 'localhost:5000/nginx:latest'],
  ['nginx@sha256:abc', 'nginx@sha256:abc'],
])('%s is pulled as %s', (reference, expected) => {
  expect(withTag(reference)).toBe(expected);
});

test.each([
  ['cgroup v1', { total_inactive_file: 30, inactive_file: 10 }, 70],
  ['cgroup v2', { inactive_file: 40 }, 60],
])('memory in use leaves out what the kernel could drop: %s', (_, stats, memoryBytes) => {
  const sample = { memory_stats: { usage: 100, stats }, cpu_stats: { cpu_usage: { total_usage: 5 } } };
  expect(usageOf(sample as unknown as Docker.ContainerStats)).toEqual({ memoryBytes, cpuNano: 5 });
});
