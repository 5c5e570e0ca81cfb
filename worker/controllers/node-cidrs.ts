/**
 * The node IPAM controller: every node gets a /24 of the pod network, and keeps it until it is deleted. Nothing is kept
 * beside the nodes themselves: a share is free when no node has it.
 */
import { NODES, type Node } from '../../shared/api/core.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { StatusError } from '../../shared/errors.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, keyOf, source, splitKey } from './controller.ts';

const COMPONENT = 'node-controller';

export const nodeCIDRs: Controller = {
  name: 'node-cidr',
  account: 'node-controller',
  sources: [source(NODES, ({ type, object }) => (type !== 'DELETED' && !object.spec.podCIDR ? [keyOf(object)] : []))],
  reconcile(key, context) {
    const { objects } = context;
    const node = objects.get(NODES, '', splitKey(key).name);
    if (node === undefined || node.spec.podCIDR || node.metadata.deletionTimestamp !== undefined) return;
    const taken = takenCIDRs(objects);
    const podCIDR = lowestFree(taken);
    if (podCIDR === undefined) {
      const message = `Node ${node.metadata.name} status is now: CIDRNotAvailable`;
      objects.record(node, { type: 'Normal', reason: 'CIDRNotAvailable', message, component: COMPONENT });
      // A share becomes free only when a node goes; that is rare enough to look for.
      context.requeueAfter(60_000);
      return;
    }
    objects.update<Node>(NODES, { ...node, spec: { ...node.spec, podCIDR, podCIDRs: [podCIDR] } });
  },
};

/** @throws StatusError 500 when every share is taken. */
export function freeNodeCIDR(objects: Objects): string {
  const free = lowestFree(takenCIDRs(objects));
  if (free === undefined) {
    throw new StatusError(
      500,
      'InternalError',
      `no share of the pod network ${DEFAULTS.podCIDR} is left for another node`,
    );
  }
  return free;
}

const takenCIDRs = (objects: Objects): Set<string> =>
  new Set(objects.list(NODES).flatMap((node) => (node.spec.podCIDR ? [node.spec.podCIDR] : [])));

/** The lowest share of the pod network that is not among these; undefined when all are. */
export function lowestFree(taken: ReadonlySet<string>, network: string = DEFAULTS.podCIDR): string | undefined {
  const [address = '', prefix = '0'] = network.split('/');
  const base = address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
  const shares = 2 ** (DEFAULTS.nodePrefix - Number(prefix));
  const size = 2 ** (32 - DEFAULTS.nodePrefix);
  for (let index = 0; index < shares; index += 1) {
    const share = `${formatAddress(base + index * size)}/${DEFAULTS.nodePrefix}`;
    if (!taken.has(share)) return share;
  }
  return undefined;
}

const formatAddress = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
