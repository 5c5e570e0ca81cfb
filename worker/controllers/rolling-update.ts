/**
 * The arithmetic of a rollout: how many pods each replica set of a deployment may have next. Pure; who writes the numbers
 * is `deployments.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/deployment/{rolling,sync}.go, util/deployment_util.go
 */
import type { Deployment, ReplicaSet } from '../../shared/api/apps.ts';
import type { IntOrString } from '../../shared/api/meta.ts';

export const DESIRED_ANNOTATION = 'deployment.kubernetes.io/desired-replicas';
export const MAX_ANNOTATION = 'deployment.kubernetes.io/max-replicas';

export const replicasOf = (object: ReplicaSet | Deployment): number => object.spec.replicas ?? 1;
export const availableOf = (replicaSet: ReplicaSet): number => replicaSet.status?.availableReplicas ?? 0;

export const sum = <T>(items: readonly T[], count: (item: T) => number): number =>
  items.reduce((total, item) => total + count(item), 0);

/** A count, or a share of `total` in per cent. A value that is neither counts as none: validation has refused it. */
export function scaledValue(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const match = /^(\d+)%$/.exec(value);
  if (match === null) return 0;
  const exact = (Number(match[1]) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

export interface Bounds {
  maxSurge: number;
  maxUnavailable: number;
}

/** How far a rollout may go above and below what is asked for. Recreate has neither. */
export function boundsOf(deployment: Deployment): Bounds {
  if (deployment.spec.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = replicasOf(deployment);
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, replicas, 'up');
  const unavailable = scaledValue(maxUnavailable, replicas, 'down');
  // Kubernetes: two zeroes would never move; percentages can round to that.
  const resolved = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { maxSurge: surge, maxUnavailable: Math.min(resolved, replicas) };
}

export const byCreation = (a: ReplicaSet, b: ReplicaSet): number =>
  compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) || compare(a.metadata.name, b.metadata.name);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** How many pods the new replica set may have now. */
export function newReplicas(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
): number {
  const desired = replicasOf(deployment);
  const current = newest === undefined ? 0 : replicasOf(newest);
  if (deployment.spec.strategy?.type === 'Recreate' || current > desired) return desired;
  const room = desired + boundsOf(deployment).maxSurge - sum(all, replicasOf);
  return room <= 0 ? current : current + Math.min(room, desired - current);
}

export interface Scaling {
  replicaSet: ReplicaSet;
  replicas: number;
}

/**
 * The steps by which old replica sets shrink now: first by pods that are not available anyway, then by as many others as
 * leaves the least number available. Each step names the size after it.
 */
export function shrinkOld(deployment: Deployment, newest: ReplicaSet, old: readonly ReplicaSet[]): Scaling[] {
  const active = old.filter((each) => replicasOf(each) > 0).sort(byCreation);
  const minAvailable = replicasOf(deployment) - boundsOf(deployment).maxUnavailable;
  const newUnavailable = replicasOf(newest) - availableOf(newest);
  const sizes = new Map(active.map((each) => [each, replicasOf(each)]));
  const steps: Scaling[] = [];
  const shrink = (replicaSet: ReplicaSet, by: number): void => {
    const replicas = (sizes.get(replicaSet) ?? 0) - by;
    sizes.set(replicaSet, replicas);
    steps.push({ replicaSet, replicas });
  };

  let removable = sum(active, replicasOf) + replicasOf(newest) - minAvailable - newUnavailable;
  if (removable <= 0) return [];
  for (const each of active) {
    const unavailable = replicasOf(each) - availableOf(each);
    const by = Math.min(removable, unavailable);
    if (by <= 0) continue;
    shrink(each, by);
    removable -= by;
  }

  // A replica set that was told to shrink and has not counted since is available at most as far as its size.
  let spare = sum(active, (each) => Math.min(availableOf(each), replicasOf(each))) + availableOf(newest) - minAvailable;
  for (const each of active) {
    const by = Math.min(sizes.get(each) ?? 0, spare);
    if (by <= 0) continue;
    shrink(each, by);
    spare -= by;
  }
  return steps;
}

/** Whether the deployment's size changed since its replica sets were last told. */
export function isScaled(deployment: Deployment, all: readonly ReplicaSet[]): boolean {
  return all.some((each) => {
    const told = annotatedCount(each, DESIRED_ANNOTATION);
    return replicasOf(each) > 0 && told !== undefined && told !== replicasOf(deployment);
  });
}

/** New sizes after the deployment was scaled: in the middle of a rollout every replica set gets its share. */
export function scaleProportionally(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scaling[] {
  const desired = replicasOf(deployment);
  const all = newest === undefined ? [...old] : [...old, newest];
  const active = all.filter((each) => replicasOf(each) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? newest ?? [...old].sort(byCreation).at(-1);
    return only === undefined ? [] : [{ replicaSet: only, replicas: desired }];
  }
  if (newest !== undefined && isSaturated(deployment, newest)) {
    return active.filter((each) => each !== newest).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  if (deployment.spec.strategy?.type === 'Recreate') return [];

  const allowed = desired > 0 ? desired + boundsOf(deployment).maxSurge : 0;
  const toAdd = allowed - sum(active, replicasOf);
  // The largest first, so that rounding falls on those who feel it least; the newer first when growing.
  active.sort((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)));
  let added = 0;
  const sizes = active.map((replicaSet) => {
    const share = shareOf(replicaSet, deployment, toAdd, added);
    added += share;
    return { replicaSet, replicas: replicasOf(replicaSet) + share };
  });
  if (sizes[0] !== undefined) sizes[0].replicas = Math.max(0, sizes[0].replicas + toAdd - added);
  return sizes;
}

function isSaturated(deployment: Deployment, newest: ReplicaSet): boolean {
  const desired = replicasOf(deployment);
  return (
    annotatedCount(newest, DESIRED_ANNOTATION) === desired &&
    replicasOf(newest) === desired &&
    availableOf(newest) === desired
  );
}

function shareOf(replicaSet: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  const size = replicasOf(replicaSet);
  if (size === 0 || toAdd === 0 || toAdd === added) return 0;
  const allowed = toAdd - added;
  const fraction = fractionOf(replicaSet, deployment);
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

function fractionOf(replicaSet: ReplicaSet, deployment: Deployment): number {
  const size = replicasOf(replicaSet);
  if (replicasOf(deployment) === 0) return -size;
  const max = replicasOf(deployment) + boundsOf(deployment).maxSurge;
  const maxBefore = annotatedCount(replicaSet, MAX_ANNOTATION) || deployment.status?.replicas || size;
  return Math.round((size * max) / maxBefore) - size;
}

export function annotatedCount(replicaSet: ReplicaSet, annotation: string): number | undefined {
  const text = replicaSet.metadata.annotations?.[annotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
