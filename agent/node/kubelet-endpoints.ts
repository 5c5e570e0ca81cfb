/**
 * What this minion answers by itself, as a kubelet does: health, the summary of what is used, metrics. Reached through
 * `nodes/NAME/proxy/…` of the API only; nothing listens for it. Everything is counted when it is asked for.
 * Source: https://kubernetes.io/docs/reference/instrumentation/node-metrics/
 */
import { Counter, Gauge, Registry } from 'prom-client';
import { LONGSHORE_VERSION } from '../../shared/defaults.ts';
import { USAGE_PATH, type Usage, type UsageReport } from '../../shared/usage.ts';

export interface KubeletAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** @param path with its query */
export type KubeletEndpoints = (method: string, path: string) => Promise<KubeletAnswer>;

export interface EndpointParts {
  nodeName: string;
  report(): Promise<UsageReport>;
}

const TEXT = 'text/plain; charset=utf-8';
const json = (value: unknown): KubeletAnswer => ({
  status: 200,
  contentType: 'application/json',
  body: JSON.stringify(value),
});
const text = (status: number, body: string): KubeletAnswer => ({ status, contentType: TEXT, body });

export function kubeletEndpoints({ nodeName, report }: EndpointParts): KubeletEndpoints {
  const answers: Record<string, () => Promise<KubeletAnswer>> = {
    '/healthz': async () => text(200, 'ok'),
    '/healthz/ping': async () => text(200, 'ok'),
    '/stats/summary': async () => json(summaryOf(nodeName, await report())),
    [USAGE_PATH]: async () => json(await report()),
    '/metrics': async () => exposed(agentMetrics(await report())),
    '/metrics/resource': async () => exposed(resourceMetrics(await report())),
  };
  return async (method, path) => {
    const name = path.replace(/\?.*$/, '').replace(/(?<=.)\/$/, '');
    const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
    if (answer === undefined) {
      const served = Object.keys(answers).filter((each) => each !== USAGE_PATH);
      return text(404, `Longshore's kubelet does not serve ${name}; it serves ${served.join(', ')}\n`);
    }
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'Method Not Allowed\n');
    return answer();
  };
}

const exposed = async (registry: Registry): Promise<KubeletAnswer> => ({
  status: 200,
  contentType: registry.contentType,
  body: await registry.metrics(),
});

/** stats/v1alpha1 Summary, as far as it is known here. */
export function summaryOf(nodeName: string, { timeMs, node, pods }: UsageReport): object {
  const time = rfc3339(timeMs);
  const usage = ({ cpuNanoCores, cpuNanoSeconds, memoryBytes }: Usage) => ({
    cpu: { time, usageNanoCores: cpuNanoCores, usageCoreNanoSeconds: cpuNanoSeconds },
    memory: { time, workingSetBytes: memoryBytes },
  });
  const own = usage(node);
  return {
    node: { nodeName, ...own, memory: { ...own.memory, availableBytes: node.memoryAvailableBytes } },
    pods: pods.map(({ namespace, name, uid, containers }) => ({
      podRef: { name, namespace, uid },
      ...usage(sumOf(containers)),
      containers: containers.map((each) => ({ name: each.name, startTime: each.startedAt, ...usage(each) })),
    })),
  };
}

function sumOf(all: readonly Usage[]): Usage {
  const sum = { cpuNanoCores: 0, cpuNanoSeconds: 0, memoryBytes: 0 };
  for (const each of all) {
    sum.cpuNanoCores += each.cpuNanoCores;
    sum.cpuNanoSeconds += each.cpuNanoSeconds;
    sum.memoryBytes += each.memoryBytes;
  }
  return sum;
}

const rfc3339 = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const NANOSECONDS = 1e9;

/** kubelet's /metrics/resource. */
function resourceMetrics({ node, pods }: UsageReport, registers = new Registry()): Registry {
  const registry = [registers];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers: registry });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: registry });
  counter('node_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the node in core-seconds').inc(
    node.cpuNanoSeconds / NANOSECONDS,
  );
  gauge('node_memory_working_set_bytes', 'Current working set of the node in bytes').set(node.memoryBytes);
  const of = ['container', 'namespace', 'pod'];
  const cpu = counter(
    'container_cpu_usage_seconds_total',
    'Cumulative cpu time consumed by the container in core-seconds',
    of,
  );
  const memory = gauge('container_memory_working_set_bytes', 'Current working set of the container in bytes', of);
  for (const { namespace, name: pod, containers } of pods) {
    for (const { name: container, cpuNanoSeconds, memoryBytes } of containers) {
      cpu.inc({ container, namespace, pod }, cpuNanoSeconds / NANOSECONDS);
      memory.set({ container, namespace, pod }, memoryBytes);
    }
  }
  return registers;
}

/** The agent's own, besides those. */
function agentMetrics(report: UsageReport): Registry {
  const registry = new Registry();
  const registers = [registry];
  const { user, system } = process.cpuUsage();
  const startedAt = Date.now() / 1000 - process.uptime();
  const set = (name: string, help: string, value: number) => new Gauge({ name, help, registers }).set(value);
  new Gauge({ name: 'longshore_build_info', help: 'Version of the agent', labelNames: ['version'], registers })
    .labels(LONGSHORE_VERSION)
    .set(1);
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds',
    registers,
  }).inc((user + system) / 1e6);
  set('process_resident_memory_bytes', 'Resident memory size in bytes', process.memoryUsage.rss());
  set('process_start_time_seconds', 'Start time of the process since unix epoch in seconds', startedAt);
  set('kubelet_running_pods', 'Number of pods that have a running container', report.pods.length);
  const running = report.pods.reduce((sum, { containers }) => sum + containers.length, 0);
  new Gauge({
    name: 'kubelet_running_containers',
    help: 'Number of containers currently running',
    labelNames: ['container_state'],
    registers,
  })
    .labels('running')
    .set(running);
  return resourceMetrics(report, registry);
}
