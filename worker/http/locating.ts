/**
 * Where a stream, a proxied connection or a question about usage leads, for who may know: what the Worker asks the Cluster
 * object before it opens one to a minion.
 */
import { locatePod } from '../links/locate.ts';
import { locateProxy } from '../links/locate-proxy.ts';
import { type AskedUsage, locateUsage } from '../links/locate-usage.ts';
import type { ClusterRpc, Connected, PodLocation, ProxyLocation, UsageLocation } from '../rpc.ts';
import type { UserInfo } from '../users.ts';
import { type ConnectParts, connect } from './connect.ts';
import { requireRight } from './rights.ts';

const ASKED = { isResource: true, group: '', path: '' };

/** @throws StatusError */
export async function podFor(
  parts: ConnectParts,
  user: UserInfo,
  asked: Parameters<ClusterRpc['locatePod']>[1],
): Promise<Connected<PodLocation>> {
  const { registry } = parts;
  const { namespace, name, subresource, verb, options } = asked;
  requireRight({ ...ASKED, user, verb, resource: 'pods', subresource, namespace, name }, registry.store);
  if (options === undefined || subresource === 'log') return registry.asSystem((objects) => locatePod(objects, asked));
  return connect(parts, user, { resource: 'pods', subresource, namespace, name, options }, (objects, admitted) =>
    locatePod(objects, { ...asked, container: String(admitted.container ?? '') }),
  );
}

/** @throws StatusError */
export async function proxyFor(
  parts: ConnectParts,
  user: UserInfo,
  asked: Parameters<ClusterRpc['locateProxy']>[1],
): Promise<Connected<ProxyLocation>> {
  requireRight({ ...ASKED, ...asked, user, subresource: 'proxy' }, parts.registry.store);
  return connect(parts, user, { ...asked, subresource: 'proxy' }, (objects) => locateProxy(objects, asked));
}

/** @throws StatusError */
export function usageFor(
  { registry }: ConnectParts,
  user: UserInfo,
  asked: AskedUsage & { verb: string },
): UsageLocation[] {
  requireRight({ ...ASKED, ...asked, user, group: 'metrics.k8s.io', subresource: '' }, registry.store);
  return registry.asSystem((objects) => locateUsage(objects, asked));
}
