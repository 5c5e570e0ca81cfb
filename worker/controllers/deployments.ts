/**
 * The deployment controller: one replica set a template, rolled over from the old ones within the bounds of the strategy.
 * The arithmetic is in `rolling-update.ts`, conditions in `deployment-status.ts`, revisions in `deployment-revisions.ts`;
 * here is what is read and written, in which order.
 * Source: k8s.io/kubernetes/pkg/controller/deployment
 */
import { DEPLOYMENTS, type Deployment, REPLICA_SETS, type ReplicaSet } from '../../shared/api/apps.ts';
import { PODS, type Pod } from '../../shared/api/core.ts';
import { StatusError } from '../../shared/errors.ts';
import { isTerminal } from '../../shared/pods.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { type Controller, keyOf, type ReconcileContext, source, splitKey } from './controller.ts';
import {
  annotationsOf,
  expiredRevisions,
  findNewest,
  isSameTemplate,
  REVISION_ANNOTATION,
  replicaSetOf,
  revisionOf,
  sizeAnnotations,
} from './deployment-revisions.ts';
import {
  countStatus,
  type DeploymentStatus,
  deadlineMs,
  deploymentCondition,
  hasDeadline,
  hasHistoryLimit,
  isComplete,
  rolloutStatus,
  setCondition,
  TIMED_OUT,
  withoutZeroes,
} from './deployment-status.ts';
import { isEqual } from './equality.ts';
import { claim, controllerOf } from './owners.ts';
import {
  isScaled,
  newReplicas,
  replicasOf,
  type Scaling,
  scaleProportionally,
  shrinkOld,
  sum,
} from './rolling-update.ts';

const COMPONENT = 'deployment-controller';

export const deployments: Controller = {
  name: 'deployment',
  account: 'deployment-controller',
  sources: [
    source(DEPLOYMENTS, ({ type, object, previous }) =>
      type !== 'DELETED' && (previous === undefined || !sameButForStatus(object, previous)) ? [keyOf(object)] : [],
    ),
    source(REPLICA_SETS, keysOfReplicaSet),
    source(PODS, keysOfPod),
  ],
  reconcile(key, context) {
    const { namespace, name } = splitKey(key);
    const deployment = context.objects.get(DEPLOYMENTS, namespace, name);
    if (deployment !== undefined) reconcileDeployment(deployment, context);
  },
};

const sameButForStatus = (object: Deployment, previous: Deployment): boolean =>
  object.metadata.generation === previous.metadata.generation &&
  object.metadata.deletionTimestamp === previous.metadata.deletionTimestamp &&
  isEqual(object.metadata.labels, previous.metadata.labels) &&
  isEqual(object.metadata.annotations, previous.metadata.annotations);

function keysOfReplicaSet({ type, object, previous }: ObjectChange<ReplicaSet>, objects: Objects): string[] {
  const namespace = object.metadata.namespace ?? '';
  const owners = [controllerOf(object), previous && controllerOf(previous)].filter(
    (each) => each?.kind === 'Deployment',
  );
  const keys = owners.map((reference) => `${namespace}/${reference?.name}`);
  if (controllerOf(object) === undefined && type !== 'DELETED') {
    const adopters = objects
      .list(DEPLOYMENTS, { namespace })
      .filter((each) => matchesLabelSelector(each.spec.selector, object.metadata.labels ?? {}));
    keys.push(...adopters.map(keyOf));
  }
  return [...new Set(keys)];
}

/** Recreate waits for the last pod of the old replica sets, whose going changes no replica set. */
function keysOfPod({ type, object, previous }: ObjectChange<Pod>, objects: Objects): string[] {
  const ended = type === 'DELETED' || (isTerminal(object) && previous !== undefined && !isTerminal(previous));
  const controller = controllerOf(object);
  if (!ended || controller?.kind !== 'ReplicaSet') return [];
  const namespace = object.metadata.namespace ?? '';
  const replicaSet = objects.get(REPLICA_SETS, namespace, controller.name);
  const owner = replicaSet && controllerOf(replicaSet);
  if (owner?.kind !== 'Deployment') return [];
  const deployment = objects.get(DEPLOYMENTS, namespace, owner.name);
  return deployment?.spec.strategy?.type === 'Recreate' ? [keyOf(deployment)] : [];
}

function reconcileDeployment(deployment: Deployment, context: ReconcileContext): void {
  const { objects, nowMs } = context;
  const { matchLabels = {}, matchExpressions = [] } = deployment.spec.selector;
  if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.';
    objects.record(deployment, { type: 'Warning', reason: 'SelectingAll', message, component: COMPONENT });
    writeStatus(deployment, { ...deployment.status, observedGeneration: deployment.metadata.generation ?? 0 }, context);
    return;
  }
  const rollout = new Rollout(deployment, context);
  if (deployment.metadata.deletionTimestamp !== undefined) {
    rollout.syncRevision(false);
    rollout.writeCounts();
    return;
  }
  rollout.syncPaused();
  const recreating = deployment.spec.strategy?.type === 'Recreate';
  if (deployment.spec.paused === true || (!recreating && isScaled(deployment, rollout.all))) {
    rollout.syncRevision(false);
    rollout.apply(scaleProportionally(deployment, rollout.newest, rollout.old));
    if (deployment.spec.paused === true) rollout.dropExpired();
    rollout.writeCounts();
    // A size that changed under way goes on rolling at once, in a pass of its own.
    if (deployment.spec.paused !== true) context.requeueAfter(0);
    return;
  }
  const moved = recreating ? rollout.recreate() : rollout.roll();
  const status = rolloutStatus(rollout.deployment, rollout.all, rollout.newest, nowMs);
  if (!moved && isComplete(rollout.deployment, status)) rollout.dropExpired();
  const stored = writeStatus(rollout.deployment, status, context);
  watchDeadline(stored, context);
}

function writeStatus(current: Deployment, status: DeploymentStatus, context: ReconcileContext): Deployment {
  const tidy = withoutZeroes(status);
  if (isEqual(tidy, current.status ?? {})) return current;
  return context.objects.updateStatus(DEPLOYMENTS, { ...current, status: tidy });
}

/** Comes back when the rollout will have made no progress for too long, so that somebody says so. */
function watchDeadline(deployment: Deployment, context: ReconcileContext): void {
  if (isComplete(deployment, deployment.status ?? {})) return;
  const deadline = deadlineMs(deployment, deployment.status ?? {});
  // Whole seconds are compared: one second later the deadline has surely passed.
  if (deadline !== undefined) context.requeueAfter(Math.max(0, deadline - context.nowMs) + 1000);
}

/** One reconcile of one deployment: its replica sets as they are now, changed step by step. */
class Rollout {
  deployment: Deployment;
  newest: ReplicaSet | undefined;
  old: ReplicaSet[];
  readonly context: ReconcileContext;

  constructor(deployment: Deployment, context: ReconcileContext) {
    this.context = context;
    this.deployment = deployment;
    const all = claim(context.objects, {
      identity: REPLICA_SETS,
      ownerIdentity: DEPLOYMENTS,
      owner: deployment,
      selector: deployment.spec.selector,
      adoptable: () => true,
    });
    this.newest = findNewest(deployment, all);
    this.old = all.filter((each) => each !== this.newest);
  }

  get all(): ReplicaSet[] {
    return this.newest === undefined ? this.old : [...this.old, this.newest];
  }

  /** Pausing and resuming stop and restart the clock of the progress deadline. */
  syncPaused(): void {
    if (!hasDeadline(this.deployment)) return;
    const reason = deploymentCondition(this.deployment.status, 'Progressing')?.reason;
    if (reason === TIMED_OUT) return;
    const paused = this.deployment.spec.paused === true;
    if (paused && reason !== 'DeploymentPaused')
      this.setProgress('Unknown', 'DeploymentPaused', 'Deployment is paused');
    if (!paused && reason === 'DeploymentPaused') {
      this.setProgress('Unknown', 'DeploymentResumed', 'Deployment is resumed');
    }
  }

  setProgress(status: 'True' | 'False' | 'Unknown', reason: string, message: string): void {
    const draft = structuredClone(this.deployment.status ?? {});
    setCondition(draft, { type: 'Progressing', status, reason, message }, this.context.nowMs);
    this.deployment = this.context.objects.updateStatus(DEPLOYMENTS, { ...this.deployment, status: draft });
  }

  /** Numbers the newest replica set after all others, and makes it where there is none. */
  syncRevision(create: boolean): void {
    const revision = Math.max(0, ...this.old.map(revisionOf)) + 1;
    if (this.newest !== undefined) this.renumber(this.newest, revision);
    else if (create) this.createNewest(revision);
  }

  renumber(current: ReplicaSet, revision: number): void {
    const annotations = annotationsOf(this.deployment, current, revision);
    const minReadySeconds = this.deployment.spec.minReadySeconds ?? 0;
    const spec =
      (current.spec.minReadySeconds ?? 0) === minReadySeconds ? current.spec : { ...current.spec, minReadySeconds };
    let newest = current;
    if (spec !== current.spec || !isEqual(annotations, current.metadata.annotations)) {
      newest = this.context.objects.update(REPLICA_SETS, {
        ...current,
        metadata: { ...current.metadata, annotations },
        spec,
      });
    }
    this.newest = newest;
    this.annotateRevision(newest.metadata.annotations?.[REVISION_ANNOTATION] ?? String(revision));
    if (hasDeadline(this.deployment) && deploymentCondition(this.deployment.status, 'Progressing') === undefined) {
      this.setProgress('True', 'FoundNewReplicaSet', `Found new replica set "${newest.metadata.name}"`);
    }
  }

  createNewest(revision: number): void {
    const { objects } = this.context;
    const draft = replicaSetOf(this.deployment, revision);
    draft.spec.replicas = newReplicas(this.deployment, this.old, undefined);
    const name = draft.metadata.name ?? '';
    const taken = objects.get(REPLICA_SETS, this.deployment.metadata.namespace ?? '', name);
    if (taken !== undefined) {
      // Not ours, or of another template: a collision of hashes. The next try hashes with another count.
      if (
        controllerOf(taken)?.uid === this.deployment.metadata.uid &&
        isSameTemplate(taken.spec.template, this.deployment.spec.template)
      ) {
        this.newest = taken;
      } else {
        this.countCollision();
        this.createNewest(revision);
      }
      return;
    }
    try {
      this.newest = objects.create(REPLICA_SETS, draft);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.failToCreate(name, error.message);
      return;
    }
    if (replicasOf(this.newest) > 0) {
      this.recordScaling(`Scaled up replica set ${name} from 0 to ${replicasOf(this.newest)}`);
    }
    this.annotateRevision(String(revision));
    if (hasDeadline(this.deployment)) {
      this.setProgress('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
    }
  }

  countCollision(): void {
    const collisionCount = (this.deployment.status?.collisionCount ?? 0) + 1;
    const status = { ...this.deployment.status, collisionCount };
    this.deployment = this.context.objects.updateStatus(DEPLOYMENTS, { ...this.deployment, status });
  }

  failToCreate(name: string, why: string): void {
    const message = `Failed to create new replica set "${name}": ${why}`;
    this.context.objects.record(this.deployment, {
      type: 'Warning',
      reason: 'ReplicaSetCreateError',
      message,
      component: COMPONENT,
    });
    if (hasDeadline(this.deployment)) this.setProgress('False', 'ReplicaSetCreateError', message);
    this.context.requeueAfter(10_000);
  }

  annotateRevision(revision: string): void {
    if (this.deployment.metadata.annotations?.[REVISION_ANNOTATION] === revision) return;
    const annotations = { ...this.deployment.metadata.annotations, [REVISION_ANNOTATION]: revision };
    this.deployment = this.context.objects.update(DEPLOYMENTS, {
      ...this.deployment,
      metadata: { ...this.deployment.metadata, annotations },
    });
  }

  /** One step of a rolling update: up first, then down. Whether anything moved. */
  roll(): boolean {
    this.syncRevision(true);
    if (this.newest === undefined) return false;
    const replicas = newReplicas(this.deployment, this.all, this.newest);
    if (this.apply([{ replicaSet: this.newest, replicas }])) return true;
    return this.apply(shrinkOld(this.deployment, this.newest, this.old));
  }

  /** All old pods go, and only when the last is gone the new ones come. */
  recreate(): boolean {
    this.syncRevision(false);
    if (
      this.apply(this.old.filter((each) => replicasOf(each) > 0).map((replicaSet) => ({ replicaSet, replicas: 0 })))
    ) {
      return true;
    }
    if (this.old.some((each) => this.hasRunningPods(each))) return false;
    if (this.newest === undefined) this.syncRevision(true);
    if (this.newest === undefined) return false;
    return this.apply([{ replicaSet: this.newest, replicas: replicasOf(this.deployment) }]);
  }

  hasRunningPods(replicaSet: ReplicaSet): boolean {
    if ((replicaSet.status?.replicas ?? 0) > 0) return true;
    const having = [{ index: 'owner', value: replicaSet.metadata.uid }];
    const pods = this.context.objects.list(PODS, { namespace: replicaSet.metadata.namespace, having });
    return sum(pods, (pod) => (isTerminal(pod) ? 0 : 1)) > 0;
  }

  /** Writes new sizes, in order; whether one of them is new. */
  apply(steps: readonly Scaling[]): boolean {
    let moved = false;
    for (const { replicaSet, replicas } of steps) {
      const before = this.all.find((each) => each.metadata.uid === replicaSet.metadata.uid) ?? replicaSet;
      const from = replicasOf(before);
      const annotations = { ...before.metadata.annotations, ...sizeAnnotations(this.deployment) };
      if (from === replicas && isEqual(annotations, before.metadata.annotations)) continue;
      const after = this.context.objects.update(REPLICA_SETS, {
        ...before,
        metadata: { ...before.metadata, annotations },
        spec: { ...before.spec, replicas },
      });
      this.put(after);
      if (from === replicas) continue;
      moved = true;
      const direction = replicas > from ? 'up' : 'down';
      this.recordScaling(`Scaled ${direction} replica set ${after.metadata.name} from ${from} to ${replicas}`);
    }
    return moved;
  }

  put(replicaSet: ReplicaSet): void {
    if (this.newest?.metadata.uid === replicaSet.metadata.uid) this.newest = replicaSet;
    else this.old = this.old.map((each) => (each.metadata.uid === replicaSet.metadata.uid ? replicaSet : each));
  }

  recordScaling(message: string): void {
    this.context.objects.record(this.deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
      component: COMPONENT,
    });
  }

  dropExpired(): void {
    if (!hasHistoryLimit(this.deployment)) return;
    const expired = expiredRevisions(this.deployment, this.old);
    for (const each of expired) {
      this.context.objects.delete(REPLICA_SETS, each.metadata.namespace ?? '', each.metadata.name);
    }
    this.old = this.old.filter((each) => !expired.includes(each));
  }

  /** Counts and availability only: a deployment that is paused, scaled or going makes no progress. */
  writeCounts(): void {
    writeStatus(this.deployment, countStatus(this.deployment, this.all, this.newest, this.context.nowMs), this.context);
  }
}
