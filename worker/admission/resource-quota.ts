/**
 * Nothing comes into a namespace beyond its ResourceQuotas. What is asked is booked in the quota's status in the transaction
 * of the write itself, so two writes can never share the last place. What leaves is counted by `controllers/resourcequotas`.
 * Source: kubernetes, k8s.io/apiserver/pkg/admission/plugin/resourcequota
 */
import { type Pod, RESOURCE_QUOTAS, type ResourceQuota } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { forbidden } from '../../shared/errors.ts';
import { compareQuantities } from '../../shared/quantity.ts';
import { type Admission, type AdmissionPlugin, isResize } from './plugin.ts';
import {
  addAll,
  inScope,
  isMeasured,
  onlyNames,
  type Quantities,
  subtractAll,
  totalUsage,
  usageOf,
} from './quota-usage.ts';

/** Names that every container must say something about once a quota bounds them. */
const REQUIRED = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

const listed = (amounts: Quantities): string =>
  Object.keys(amounts)
    .sort()
    .map((name) => `${name}=${amounts[name]}`)
    .join(',');

/** `must specify cpu for: a,b; memory for: a` */
function missingOf(pod: Pod, hard: readonly string[]): string | undefined {
  const missing = REQUIRED.filter((name) => hard.includes(name)).flatMap((name) => {
    const [list, resource] = name.startsWith('limits.')
      ? (['limits', name.slice('limits.'.length)] as const)
      : (['requests', name.replace('requests.', '')] as const);
    const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
      .filter((container) => container.resources?.[list]?.[resource] === undefined)
      .map((container) => container.name);
    return containers.length === 0 ? [] : [{ name, text: `${name} for: ${[...new Set(containers)].sort().join(',')}` }];
  });
  if (missing.length === 0) return undefined;
  const sorted = missing.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  return `must specify ${sorted.map((each) => each.text).join('; ')}`;
}

function book(admission: Admission, quota: ResourceQuota, object: KubeObject): void {
  const { definition, current, reader, operation } = admission;
  const { identity } = definition;
  const hard = quota.spec.hard ?? {};
  const names = Object.keys(hard);
  const after = inScope(quota, identity, object) ? onlyNames(usageOf(identity, object), names) : {};
  const counted = current !== undefined && inScope(quota, identity, current);
  const before = counted ? onlyNames(usageOf(identity, current), names) : {};
  if (Object.keys(after).length + Object.keys(before).length === 0) return;
  const refuse = (why: string): never => {
    throw forbidden(identity, object.metadata.name, why);
  };
  if (identity.group === '' && identity.kind === 'Pod' && operation === 'CREATE') {
    const missing = missingOf(object as Pod, names);
    if (missing !== undefined) refuse(`failed quota: ${quota.metadata.name}: ${missing}`);
  }
  const delta = Object.fromEntries(
    Object.entries(subtractAll(after, before)).filter(([, amount]) => compareQuantities(amount, '0') !== 0),
  );
  if (Object.keys(delta).length === 0) return;
  const isCounted = names.every((name) => quota.status?.used?.[name] !== undefined);
  const used = isCounted
    ? (quota.status?.used ?? {})
    : totalUsage(quota, (resource, namespace) => reader.list(resource, { namespace }));
  const sum = addAll(used, delta);
  const exceeded = Object.keys(delta).filter(
    (name) =>
      compareQuantities(delta[name] ?? '0', '0') > 0 && compareQuantities(sum[name] ?? '0', hard[name] ?? '0') > 0,
  );
  if (exceeded.length > 0) {
    const [requested, taken, limited] = [delta, used, hard].map((amounts) => listed(onlyNames(amounts, exceeded)));
    refuse(`exceeded quota: ${quota.metadata.name}, requested: ${requested}, used: ${taken}, limited: ${limited}`);
  }
  admission.saveStatus(RESOURCE_QUOTAS, { ...quota, status: { hard, used: onlyNames(sum, names) } } as ResourceQuota);
}

export const resourceQuota: AdmissionPlugin = {
  name: 'ResourceQuota',
  validate(admission) {
    const { operation, subresource, namespace, draft, definition, reader } = admission;
    if (operation === 'DELETE' || namespace === '' || draft === undefined) return;
    if (subresource !== '' && !isResize(admission)) return;
    if (operation === 'UPDATE' && !isMeasured(definition.identity)) return;
    // Kubernetes: Events are never counted, or a namespace at its quota could not say so.
    if (definition.identity.kind === 'Event') return;
    for (const quota of reader.list('resourcequotas', { namespace }) as ResourceQuota[]) book(admission, quota, draft);
  },
};
