/**
 * Whose usage `metrics.k8s.io` is asked for: nodes or pods, and the minions that know. Synchronous reads over Objects, in
 * the Cluster object after authorization. Asking the minions is `worker/http/usage.ts`.
 */
import { NODES, PODS } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest, notFound } from '../../shared/errors.ts';
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../../shared/selectors.ts';
import type { Objects } from '../registry/objects.ts';
import type { UsageLocation } from '../rpc.ts';

export interface AskedUsage {
  resource: 'nodes' | 'pods';
  /** '': all. */
  namespace: string;
  /** '': a list. */
  name: string;
  labelSelector: string;
  fieldSelector: string;
}

const SELECTABLE = new Set(['metadata.name', 'metadata.namespace']);

/** Nodes that are away and pods that do not run have no usage: they are left out, or are not found. @throws StatusError */
export function locateUsage(objects: Objects, asked: AskedUsage): UsageLocation[] {
  const { resource, namespace, name } = asked;
  const labels = parseLabelSelector(asked.labelSelector);
  const fields = parseFieldSelector(asked.fieldSelector);
  const stray = fields.find(({ field }) => !SELECTABLE.has(field));
  if (stray !== undefined) throw badRequest(`field label not supported: ${stray.field}`);
  const matches = ({ metadata }: KubeObject) =>
    (name === '' || metadata.name === name) &&
    matchesLabels(labels, metadata.labels) &&
    matchesFields(fields, { 'metadata.name': metadata.name, 'metadata.namespace': metadata.namespace ?? '' });
  const found =
    resource === 'nodes'
      ? objects
          .list(NODES)
          .filter(matches)
          .map((each) => locationOf(each, each.metadata.name))
      : objects
          .list(PODS, namespace === '' ? {} : { namespace })
          .filter((pod) => pod.status?.phase === 'Running' && matches(pod))
          .map((pod) => locationOf(pod, pod.spec.nodeName ?? ''));
  if (name !== '' && found.length === 0) throw noUsage(resource, name);
  return found;
}

/** Upstream's words for what is not known, too: it may not have been measured. */
export const noUsage = (resource: string, name: string) => notFound({ group: 'metrics.k8s.io', resource }, name);

function locationOf({ metadata }: KubeObject, node: string): UsageLocation {
  const { name, namespace = '', uid, labels } = metadata;
  return { name, namespace, uid, node, ...(labels === undefined ? {} : { labels }) };
}
