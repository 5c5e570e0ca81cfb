/**
 * How a minion's hello becomes a Node: made or adopted, with its share of the pod network, its labels and its status.
 * A second machine may not take over a node's name. The socket is not here: `minions.ts`.
 */
import { NODES, type Node, type NodeCondition, type NodeStatus, type Pod } from '../../shared/api/core.ts';
import { FLANNEL_ANNOTATIONS } from '../../shared/api/longshore.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { badRequest, forbidden, StatusError } from '../../shared/errors.ts';
import type { Hello, Report } from '../../shared/link/protocol.ts';
import type { Objects } from '../registry/objects.ts';
import type { NodeLife } from './node-life.ts';

const HOSTNAME_LABEL = 'kubernetes.io/hostname';
const OS_LABEL = 'kubernetes.io/os';
const ARCH_LABEL = 'kubernetes.io/arch';
/** Kubernetes: labels that a node may not give itself, so that workloads can be kept from it (NodeRestriction). */
const RESTRICTED_LABEL = /^(?:[^/]+\.)?node-restriction\.kubernetes\.io\//;
const OWN_ANNOTATIONS: readonly string[] = Object.values(FLANNEL_ANNOTATIONS);

/** @throws StatusError when the name is another machine's, a label is not the minion's to set, or no subnet is left. */
export function registerNode(objects: Objects, hello: Hello, life: Pick<NodeLife, 'allocatePodCIDR'>): Node {
  const { node: name, registration } = hello;
  const current = objects.get(NODES, '', name);
  const owner = current?.status?.nodeInfo?.machineID;
  if (current !== undefined && owner && owner !== hello.machineId) {
    throw new StatusError(
      409,
      'AlreadyExists',
      `nodes "${name}" already exists: it is another machine (${owner}); delete it to give the name away`,
      { name, kind: 'nodes' },
    );
  }
  const labels = labelsOf(name, registration.labels, registration.status);
  const annotations = annotationsOf(name, registration.annotations);
  const node = current === undefined ? create() : adopt(current);
  node.status = mergeNodeStatus(node.status, withMachine(registration.status, hello.machineId), objects.nowMs);
  return objects.updateStatus(NODES, node);

  function create(): Node {
    const podCIDR = life.allocatePodCIDR(objects);
    const draft: Draft<Node> = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels, annotations },
      spec: { podCIDR, podCIDRs: [podCIDR], ...(registration.taints ? { taints: registration.taints } : {}) },
    };
    return objects.create(NODES, draft);
  }

  function adopt(draft: Node): Node {
    draft.metadata.labels = { ...draft.metadata.labels, ...labels };
    draft.metadata.annotations = { ...draft.metadata.annotations, ...annotations };
    if (draft.spec.podCIDR === undefined) {
      const podCIDR = life.allocatePodCIDR(objects);
      draft.spec = { ...draft.spec, podCIDR, podCIDRs: [podCIDR] };
    }
    return objects.update(NODES, draft);
  }
}

/** The node part of a report. @throws StatusError */
export function applyNodeReport(objects: Objects, name: string, report: NonNullable<Report['node']>): void {
  const current = objects.get(NODES, '', name);
  // Deleted meanwhile: its socket is about to be closed, and the next hello registers it anew.
  if (current === undefined) return;
  let node = current;
  if (report.labels !== undefined || report.annotations !== undefined) {
    node.metadata.labels = { ...node.metadata.labels, ...labelsOf(name, report.labels ?? {}, node.status ?? {}) };
    node.metadata.annotations = { ...node.metadata.annotations, ...annotationsOf(name, report.annotations ?? {}) };
    node = objects.update(NODES, node);
  }
  if (report.status === undefined) return;
  const owner = node.status?.nodeInfo?.machineID ?? '';
  node.status = mergeNodeStatus(node.status, withMachine(report.status, owner), objects.nowMs);
  objects.updateStatus(NODES, node);
}

/**
 * Parts that were not reported stay; a condition that says the same keeps its times, so that nothing is written.
 * Conditions that others set (network, pressure by an operator) are theirs.
 */
export function mergeNodeStatus(
  current: NodeStatus | undefined,
  given: Partial<NodeStatus>,
  nowMs: number,
): NodeStatus {
  const merged: NodeStatus = { ...current, ...given };
  if (given.conditions !== undefined) merged.conditions = mergeConditions(current?.conditions, given.conditions, nowMs);
  return merged;
}

function mergeConditions(
  current: readonly NodeCondition[] = [],
  given: readonly NodeCondition[],
  nowMs: number,
): NodeCondition[] {
  const now = timestamp(nowMs);
  const merged = given.map((condition) => {
    const before = current.find((each) => each.type === condition.type);
    const same = before?.status === condition.status;
    if (before !== undefined && same && before.reason === condition.reason && before.message === condition.message) {
      return before;
    }
    const lastTransitionTime = same ? (before?.lastTransitionTime ?? now) : now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime };
  });
  const others = current.filter((each) => !given.some((condition) => condition.type === each.type));
  return [...merged, ...others];
}

export const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function withMachine(status: Partial<NodeStatus>, machineId: string): Partial<NodeStatus> {
  return status.nodeInfo === undefined ? status : { ...status, nodeInfo: { ...status.nodeInfo, machineID: machineId } };
}

function labelsOf(name: string, given: Record<string, string>, status: Partial<NodeStatus>): Record<string, string> {
  const refused = Object.keys(given).find((key) => RESTRICTED_LABEL.test(key));
  if (refused !== undefined) throw forbidden(NODES, name, `is not allowed to set the label ${refused} on itself`);
  if (given[HOSTNAME_LABEL] !== undefined && given[HOSTNAME_LABEL] === '')
    throw badRequest(`${HOSTNAME_LABEL} is empty`);
  return {
    [HOSTNAME_LABEL]: name,
    ...(status.nodeInfo
      ? { [OS_LABEL]: status.nodeInfo.operatingSystem, [ARCH_LABEL]: status.nodeInfo.architecture }
      : {}),
    ...given,
  };
}

/** A minion annotates its Node with what its network needs; the rest is not its to write. */
function annotationsOf(name: string, given: Record<string, string>): Record<string, string> {
  const refused = Object.keys(given).find((key) => !OWN_ANNOTATIONS.includes(key) && !key.startsWith('longshore.dev/'));
  if (refused !== undefined) throw forbidden(NODES, name, `is not allowed to set the annotation ${refused} on itself`);
  return given;
}

/** Whether a pod is this node's. */
export const isOn = (pod: Pod, node: string): boolean => pod.spec.nodeName === node;
