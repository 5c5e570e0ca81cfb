/** `v1 Node`. Source: kubernetes, pkg/registry/core/node, ValidateNode and pkg/printers/internalversion. */
import { NODES, type Node, type Taint } from '../../shared/api/core.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkCIDR, checkLabelValue, checkQualifiedName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

function validateTaints(taints: readonly Taint[] | undefined): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  for (const [index, taint] of (taints ?? []).entries()) {
    const path = `spec.taints[${index}]`;
    for (const message of checkQualifiedName(taint.key ?? ''))
      causes.push(invalidValue(`${path}.key`, taint.key ?? '', message));
    for (const message of checkLabelValue(taint.value ?? ''))
      causes.push(invalidValue(`${path}.value`, taint.value, message));
    if (!taint.effect) causes.push(required(`${path}.effect`));
    else if (!EFFECTS.includes(taint.effect)) causes.push(notSupported(`${path}.effect`, taint.effect, EFFECTS));
    const pair = `${taint.key} ${taint.effect}`;
    if (seen.has(pair)) {
      const cause = duplicateValue(path, taint);
      causes.push({ ...cause, message: `${cause.message}: taints must be unique by key and effect pair` });
    }
    seen.add(pair);
  }
  return causes;
}

function validate(draft: Draft<Node>): StatusCause[] {
  const causes = validateTaints(draft.spec?.taints);
  for (const [index, cidr] of (draft.spec?.podCIDRs ?? []).entries()) {
    for (const message of checkCIDR(cidr)) causes.push(invalidValue(`spec.podCIDRs[${index}]`, cidr, message));
  }
  return causes;
}

function validateUpdate(draft: Node, current: Node): StatusCause[] {
  const causes: StatusCause[] = [];
  const before = current.spec.podCIDRs ?? [];
  const after = draft.spec.podCIDRs ?? [];
  if (before.length > 0 && before.join() !== after.join()) {
    causes.push(forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
  }
  if (current.spec.providerID && current.spec.providerID !== draft.spec.providerID) {
    causes.push(forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  }
  return causes;
}

function statusOf(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec?.unschedulable) words.push('SchedulingDisabled');
  return words.join(',');
}

function rolesOf(node: Node): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) =>
    key.startsWith(ROLE_PREFIX) ? [key.slice(ROLE_PREFIX.length)] : key === ROLE_LABEL ? [value] : [],
  );
  return [...new Set(roles.filter((role) => role !== ''))].sort().join(',') || '<none>';
}

const addressOf = (node: Node, type: string): string =>
  node.status?.addresses?.find((address) => address.type === type)?.address ?? '<none>';

export const NODES_DEFINITION: ResourceDefinition<Node> = {
  identity: NODES,
  singular: 'node',
  listKind: 'NodeList',
  shortNames: ['no'],
  verbs: ALL_VERBS,
  subresources: ['proxy', 'status'],
  schema: 'io.k8s.api.core.v1.Node',
  generation: false,
  unconditionalUpdate: true,
  default(draft) {
    draft.spec ??= {};
    const { podCIDR, podCIDRs } = draft.spec;
    if (podCIDR && !podCIDRs?.length) draft.spec.podCIDRs = [podCIDR];
    else if (!podCIDR && podCIDRs?.[0]) draft.spec.podCIDR = podCIDRs[0];
    // Kubernetes: what a node has is what it can give, unless it says otherwise.
    if (draft.status?.capacity) draft.status.allocatable = { ...draft.status.capacity, ...draft.status.allocatable };
  },
  validate,
  validateUpdate,
  fields: (node) => ({ 'spec.unschedulable': String(node.spec?.unschedulable ?? false) }),
  columns: [
    NAME,
    text<Node>('Status', 'The status of the node', statusOf),
    text<Node>('Roles', 'The roles of the node', rolesOf),
    AGE,
    text<Node>(
      'Version',
      'Kubelet Version reported by the node.',
      (node) => node.status?.nodeInfo?.kubeletVersion ?? '',
    ),
    text<Node>(
      'Internal-IP',
      'List of addresses reachable to the node. Queried from cloud provider, if available.',
      (node) => addressOf(node, 'InternalIP'),
      true,
    ),
    text<Node>(
      'External-IP',
      'List of addresses reachable to the node. Queried from cloud provider, if available.',
      (node) => addressOf(node, 'ExternalIP'),
      true,
    ),
    text<Node>(
      'OS-Image',
      'OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy)).',
      (node) => node.status?.nodeInfo?.osImage || '<unknown>',
      true,
    ),
    text<Node>(
      'Kernel-Version',
      "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64).",
      (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>',
      true,
    ),
    text<Node>(
      'Container-Runtime',
      'ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).',
      (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
      true,
    ),
  ],
};
