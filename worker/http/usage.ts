/**
 * metrics.k8s.io: what nodes and pods use now. Nothing of it is stored and nothing is measured while nobody asks: each
 * question goes to the minions that it is about, over their data sockets, all at once. Who that is: `links/locate-usage.ts`.
 * Source: https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
 */
import type { ObjectMeta } from '../../shared/api/meta.ts';
import { noSuchPath, StatusError, serviceUnavailable } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import type { StreamEvents, TunnelStream } from '../../shared/tunnel/stream.ts';
import { USAGE_PATH, type Usage, type UsageReport } from '../../shared/usage.ts';
import type { Env } from '../env.ts';
import { noUsage } from '../links/locate-usage.ts';
import { openStream, statusErrorOf, type TunnelTarget } from '../links/tunnel.ts';
import { NODE_METRICS, POD_METRICS } from '../resources/usage-metrics.ts';
import type { UsageLocation } from '../rpc.ts';
import type { UserInfo } from '../users.ts';
import { json } from './answers.ts';
import { methodRefused } from './exchange.ts';
import { negotiate } from './negotiation.ts';
import type { RequestInfo } from './request-info.ts';

const { group: GROUP, version: VERSION } = NODE_METRICS;
const API_VERSION = `${GROUP}/${VERSION}`;
/** A minion that says nothing for so long is left out, as one that is away. */
const PATIENCE_MS = 10_000;

export const isUsage = (info: RequestInfo): boolean => info.isResource && info.group === GROUP;

/** @throws StatusError */
export async function handleUsage(
  request: Request,
  env: Env,
  cluster: string,
  info: RequestInfo,
  user: UserInfo,
): Promise<Response> {
  const { resource, namespace, name, verb, query } = info;
  if (resource !== 'nodes' && resource !== 'pods') throw noSuchPath();
  if (info.version !== VERSION || info.subresource !== '' || (resource === 'nodes' && namespace !== ''))
    throw noSuchPath();
  if (resource === 'pods' && namespace === '' && name !== '') throw noSuchPath();
  const { pretty } = negotiate(request.headers, query, []);
  const asked = {
    ...({ resource, namespace, name, verb } as const),
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
  };
  const outcome = await env.CLUSTER.get(env.CLUSTER.idFromName(cluster)).locateUsage(user, asked);
  if (!outcome.ok) throw statusErrorOf(outcome.status);
  if (verb !== 'get' && verb !== 'list') throw methodRefused();
  const locations = outcome.value;
  const nodes = [...new Set(locations.map((each) => each.node))];
  const reports = new Map<string, UsageReport>();
  const ask = async (node: string): Promise<void> => {
    const report = await reportOf(env, { cluster, node });
    if (report !== undefined) reports.set(node, report);
  };
  await Promise.all(nodes.map(ask));
  const items = locations.flatMap((each) => {
    const report = reports.get(each.node);
    if (report === undefined) return [];
    return resource === 'nodes' ? [nodeMetrics(each, report)] : podMetrics(each, report);
  });
  const { kind } = resource === 'nodes' ? NODE_METRICS : POD_METRICS;
  if (name === '') return json({ kind: `${kind}List`, apiVersion: API_VERSION, metadata: {}, items }, 200, pretty);
  const [only] = items;
  if (only === undefined) throw noUsage(resource, name);
  return json(only, 200, pretty);
}

// ---- Asking ------------------------------------------------------------------------------------------------------

/** Undefined for a minion that is away, or does not answer. */
async function reportOf(env: Env, target: TunnelTarget): Promise<UsageReport | undefined> {
  const header = {
    ...({ kind: 'http', to: 'kubelet', address: '', port: 0, method: 'GET', path: USAGE_PATH } as const),
    headers: [],
    body: false,
  };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  let text = '';
  let status = 0;
  const events: StreamEvents = {
    head: (head) => {
      if (head.ok) status = head.http?.status ?? 0;
      else reject(statusErrorOf(head.status));
    },
    data: (_, bytes) => {
      text += decoder.decode(bytes, { stream: true });
      stream.consumed(bytes.length);
    },
    close: ({ error }) => {
      if (error === undefined && status === 200) resolve(text);
      else reject(serviceUnavailable(error ?? `minion ${target.node} answered ${status}`));
    },
  };
  let stream: TunnelStream;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    stream = await openStream(env, target, header, events);
    timer = setTimeout(() => {
      stream.reset('the minion takes too long');
      reject(serviceUnavailable(`minion ${target.node} does not answer`));
    }, PATIENCE_MS);
    return JSON.parse(await promise) as UsageReport;
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

// ---- Answering ---------------------------------------------------------------------------------------------------

interface Metrics {
  kind: string;
  apiVersion: string;
  metadata: Pick<ObjectMeta, 'name' | 'namespace' | 'labels' | 'creationTimestamp'>;
  timestamp: string;
  window: string;
}

function metricsOf(kind: string, { name, namespace, labels }: UsageLocation, report: UsageReport): Metrics {
  const time = formatTime(report.timeMs);
  return {
    kind,
    apiVersion: API_VERSION,
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      creationTimestamp: time,
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: time,
    window: `${report.windowMs / 1000}s`,
  };
}

const nodeMetrics = (of: UsageLocation, report: UsageReport) => ({
  ...metricsOf(NODE_METRICS.kind, of, report),
  usage: usageOf(report.node),
});

/** None for a pod that the minion has not started. */
function podMetrics(of: UsageLocation, report: UsageReport): Metrics[] {
  const found = report.pods.find((each) => each.namespace === of.namespace && each.name === of.name);
  if (found === undefined) return [];
  const containers = found.containers.map((each) => ({ name: each.name, usage: usageOf(each) }));
  return [{ ...metricsOf(POD_METRICS.kind, of, report), containers } as Metrics];
}

/** As metrics-server writes them: nanocores and kibibytes. */
const usageOf = ({ cpuNanoCores, memoryBytes }: Usage) => ({
  cpu: cpuNanoCores === 0 ? '0' : `${cpuNanoCores}n`,
  memory: `${Math.ceil(memoryBytes / 1024)}Ki`,
});
