/**
 * A deployment's revisions: which replica set is of the present template, how a new one is named, and the annotations by
 * which `kubectl rollout history` and `undo` find their way. Pure; who writes is `deployments.ts`.
 * Source: k8s.io/kubernetes/pkg/controller/deployment/util/deployment_util.go
 */
import { DEPLOYMENTS, type Deployment, type ReplicaSet } from '../../shared/api/apps.ts';
import type { PodTemplateSpec } from '../../shared/api/core.ts';
import type { Draft, LabelSelector } from '../../shared/api/meta.ts';
import { canonicalText, isEqual } from './equality.ts';
import { controllerReference } from './owners.ts';
import { boundsOf, byCreation, DESIRED_ANNOTATION, MAX_ANNOTATION, replicasOf } from './rolling-update.ts';

const HASH_LABEL = 'pod-template-hash';
export const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY_ANNOTATION = 'deployment.kubernetes.io/revision-history';
const MAX_HISTORY_CHARACTERS = 2000;

/** Annotations of the deployment that its replica sets do not take over. */
const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION_ANNOTATION,
  REVISION_HISTORY_ANNOTATION,
  DESIRED_ANNOTATION,
  MAX_ANNOTATION,
  'deprecated.deployment.rollback.to',
]);

export function revisionOf(replicaSet: ReplicaSet): number {
  const text = replicaSet.metadata.annotations?.[REVISION_ANNOTATION] ?? '';
  return /^\d+$/.test(text) ? Number(text) : 0;
}

/** The replica set of the present template: the oldest one, if there should be several. */
export function findNewest(deployment: Deployment, all: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...all].sort(byCreation).find((each) => isSameTemplate(each.spec.template, deployment.spec.template));
}

export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec): boolean {
  return a !== undefined && isEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {};
  const { labels: _labels, ...metadata } = template.metadata ?? {};
  // Kubernetes: a template's creationTimestamp is always null and says nothing.
  const { creationTimestamp: _none, ...rest } = metadata as typeof metadata & { creationTimestamp?: null };
  return { ...template, metadata: { ...rest, labels } };
}

const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * Names the template: FNV-1a of its canonical text and the collision count, in upstream's alphabet without vowels. The
 * value differs from upstream's (which hashes a dump of Go values); nothing compares it across implementations.
 */
export function templateHash(template: PodTemplateSpec, collisionCount: number | undefined): string {
  let hash = 0x811c9dc5;
  const text = canonicalText(withoutHash(template)) + (collisionCount === undefined ? '' : `\n${collisionCount}`);
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return [...String(hash >>> 0)].map((digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join('');
}

/** The replica set of a new revision, still without a size. */
export function replicaSetOf(deployment: Deployment, revision: number): Draft<ReplicaSet> {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount);
  const template = structuredClone(deployment.spec.template);
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [HASH_LABEL]: hash } };
  const draft: Draft<ReplicaSet> = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels: template.metadata.labels ?? {},
      ownerReferences: [controllerReference(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas: 0,
      ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: withHash(deployment.spec.selector, hash),
      template,
    },
  };
  draft.metadata.annotations = annotationsOf(deployment, undefined, revision);
  return draft;
}

const withHash = (selector: LabelSelector, hash: string): LabelSelector => ({
  ...structuredClone(selector),
  matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash },
});

/**
 * The annotations of the newest replica set: the deployment's, its revision (never lowered) and the revisions it had
 * before; a new one also gets the sizes.
 */
export function annotationsOf(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const annotations = { ...current?.metadata.annotations };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!OWN_ANNOTATIONS.has(key)) annotations[key] = value;
  }
  const before = annotations[REVISION_ANNOTATION];
  if (current === undefined || revisionOf(current) < revision) {
    annotations[REVISION_ANNOTATION] = String(revision);
    if (before !== undefined) annotations[REVISION_HISTORY_ANNOTATION] = history(annotations, before);
  }
  return current === undefined ? { ...annotations, ...sizeAnnotations(deployment) } : annotations;
}

function history(annotations: Record<string, string>, before: string): string {
  const known = annotations[REVISION_HISTORY_ANNOTATION];
  const revisions = known ? known.split(',') : [];
  revisions.push(before);
  while (revisions.length > 1 && revisions.join(',').length > MAX_HISTORY_CHARACTERS) revisions.shift();
  return revisions.join(',');
}

/** By these a replica set knows later that the deployment was scaled in the meantime. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = replicasOf(deployment);
  return {
    [DESIRED_ANNOTATION]: String(replicas),
    [MAX_ANNOTATION]: String(replicas + boundsOf(deployment).maxSurge),
  };
}

/** Old replica sets beyond the history limit, oldest revision first; one that still has pods stays. */
export function expiredRevisions(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const kept = old.filter((each) => each.metadata.deletionTimestamp === undefined);
  const excess = kept.length - (deployment.spec.revisionHistoryLimit ?? 10);
  if (excess <= 0) return [];
  return kept
    .sort((a, b) => revisionOf(a) - revisionOf(b) || byCreation(a, b))
    .slice(0, excess)
    .filter(
      (each) =>
        replicasOf(each) === 0 &&
        (each.status?.replicas ?? 0) === 0 &&
        (each.metadata.generation ?? 0) <= (each.status?.observedGeneration ?? 0),
    );
}
