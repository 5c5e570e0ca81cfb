/** What is used, from counters that a test turns. */
import { describe, expect, test } from 'vitest';
import { kubeletEndpoints } from '../../../agent/node/kubelet-endpoints.ts';
import { countersOf, UsageSampler } from '../../../agent/node/usage.ts';
import type { ObservedContainer } from '../../../agent/runtime/runtime.ts';

const START = Date.parse('2026-11-22T10:00:00Z');

const container = (id: string, more: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id,
  pod: { namespace: 'ns', name: 'web', uid: 'u1' },
  name: id,
  kind: 'container',
  attempt: 0,
  sandboxId: 's',
  specHash: '',
  image: 'i',
  imageID: 'sha256:i',
  state: 'running',
  pid: 1,
  createdAt: '2026-11-22T09:00:00Z',
  startedAt: '2026-11-22T09:59:50Z',
  resources: { cpuNano: 0, cpuShares: 0, memoryBytes: 0 },
  labels: {},
  ...more,
});

/** Each container uses half a processor and the machine one and a half, as time goes by. */
function world(containers: ObservedContainer[]) {
  let nowMs = START;
  let samples = 0;
  const waits: number[] = [];
  const since = () => (nowMs - START) * 1e6;
  const sampler = new UsageSampler({
    runtime: {
      list: async () => {
        samples++;
        return containers;
      },
      stats: async (ids) => new Map(ids.map((id) => [id, { memoryBytes: 1024, cpuNano: 5e9 + since() / 2 }])),
    },
    host: () => ({ cpuNanoSeconds: 1e12 + since() * 1.5, memoryBytes: 4096, memoryAvailableBytes: 8192 }),
    now: () => nowMs,
    wait: async (ms) => {
      waits.push(ms);
      nowMs += ms;
    },
  });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { sampler, waits, pass, samples: () => samples };
}

describe('what is used', () => {
  test('is measured over a second when nobody asked before', async () => {
    const { sampler, waits } = world([container('main'), container('pause', { kind: 'sandbox' })]);
    const report = await sampler.report();
    expect(waits).toEqual([1000]);
    expect(report).toEqual({
      timeMs: START + 1000,
      windowMs: 1000,
      node: { cpuNanoCores: 1.5e9, cpuNanoSeconds: 1e12 + 1.5e9, memoryBytes: 4096, memoryAvailableBytes: 8192 },
      pods: [
        {
          namespace: 'ns',
          name: 'web',
          uid: 'u1',
          containers: [
            {
              name: 'main',
              startedAt: '2026-11-22T09:59:50Z',
              cpuNanoCores: 5e8,
              cpuNanoSeconds: 5.5e9,
              memoryBytes: 1024,
            },
          ],
        },
      ],
    });
  });

  test('is measured since the last question when that is not long ago, and not at all in between', async () => {
    const { sampler, waits, pass, samples } = world([container('main')]);
    await sampler.report();
    pass(30_000);
    expect((await sampler.report()).windowMs).toBe(30_000);
    pass(120_000);
    expect((await sampler.report()).windowMs).toBe(1000);
    expect(waits).toEqual([1000, 1000]);
    expect(samples()).toBe(5);
  });

  test('is the same answer for all who ask at once', async () => {
    const { sampler, samples } = world([container('main')]);
    const [one, two] = await Promise.all([sampler.report(), sampler.report()]);
    expect(one).toBe(two);
    expect(samples()).toBe(2);
  });

  test('of a container that is new is averaged over its life', async () => {
    const containers = [container('main')];
    const { sampler, pass } = world(containers);
    await sampler.report();
    containers.push(container('new', { pod: { namespace: 'ns', name: 'new', uid: 'u2' } }));
    pass(10_000);
    const report = await sampler.report();
    // 10.5 s of processor time in the 21 s since it began.
    expect(report.pods[1]?.containers[0]?.cpuNanoCores).toBe(Math.round((10.5e9 / 21_000) * 1000));
  });

  test('of the machine is all work of all processors, and all memory that could not be had', () => {
    const stat = 'cpu  100 20 30 9000 500 4 6 1 0 0\ncpu0 100 20 30 9000 500 4 6 1 0 0\n';
    const meminfo = 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n';
    expect(countersOf(stat, meminfo)).toEqual({
      cpuNanoSeconds: 161 * 10_000_000,
      memoryBytes: 600 * 1024,
      memoryAvailableBytes: 400 * 1024,
    });
  });
});

describe('the kubelet’s endpoints', () => {
  const endpoints = () => {
    const { sampler } = world([container('main'), container('side')]);
    return kubeletEndpoints({ nodeName: 'm1', report: () => sampler.report() });
  };

  test('say that they are well', async () => {
    expect(await endpoints()('GET', '/healthz')).toMatchObject({ status: 200, body: 'ok' });
  });

  test('sum a pod up in the summary', async () => {
    const { status, body } = await endpoints()('GET', '/stats/summary?only_cpu_and_memory=true');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      node: { nodeName: 'm1', cpu: { usageNanoCores: 1.5e9 }, memory: { workingSetBytes: 4096, availableBytes: 8192 } },
      pods: [
        {
          podRef: { name: 'web', namespace: 'ns', uid: 'u1' },
          cpu: { time: '2026-11-22T10:00:01Z', usageNanoCores: 1e9 },
          memory: { workingSetBytes: 2048 },
          containers: [{ name: 'main' }, { name: 'side' }],
        },
      ],
    });
  });

  test('expose metrics that Prometheus reads', async () => {
    const { contentType, body } = await endpoints()('GET', '/metrics');
    expect(contentType).toContain('text/plain');
    expect(body).toContain('node_cpu_usage_seconds_total 1001.5\n');
    expect(body).toContain('container_memory_working_set_bytes{container="main",namespace="ns",pod="web"} 1024\n');
    expect(body).toContain('kubelet_running_pods 1\n');
    expect(body).toContain('kubelet_running_containers{container_state="running"} 2\n');
    expect(body).toMatch(/^process_resident_memory_bytes \d+$/m);
    const resource = await endpoints()('GET', '/metrics/resource');
    expect(resource.body).not.toContain('process_');
  });

  test('refuse by name what they do not have', async () => {
    expect(await endpoints()('GET', '/runningpods/')).toMatchObject({
      status: 404,
      body: expect.stringContaining("Longshore's kubelet does not serve /runningpods"),
    });
    expect(await endpoints()('POST', '/healthz')).toMatchObject({ status: 405 });
  });
});
