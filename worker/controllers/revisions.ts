/**
 * The templates that a stateful set or daemon set had, kept as ControllerRevisions, by which `kubectl rollout history` and
 * `undo` find their way. A template is one revision, however often it comes back: then its number is raised.
 * Source: k8s.io/kubernetes/pkg/controller/history
 */
import { CONTROLLER_REVISIONS, type ControllerRevision } from '../../shared/api/apps.ts';
import type { PodTemplateSpec } from '../../shared/api/core.ts';
import type { Identity, KubeObject } from '../../shared/api/meta.ts';
import type { Objects } from '../registry/objects.ts';
import { templateHash } from './deployment-revisions.ts';
import { isEqual } from './equality.ts';
import { controllerOf, controllerReference } from './owners.ts';

export const REVISION_LABEL = 'controller-revision-hash';

interface Revised extends KubeObject {
  spec: { template: PodTemplateSpec; revisionHistoryLimit?: number };
  status?: { collisionCount?: number };
}

export interface History {
  /** Of the present template. */
  update: ControllerRevision;
  /** All of them, oldest number first, the present one included. */
  all: ControllerRevision[];
  collisionCount: number;
}

export const templateOf = (revision: ControllerRevision): PodTemplateSpec | undefined => {
  const template = revision.data?.spec?.template;
  if (template === undefined) return undefined;
  const { $patch: _patch, ...rest } = template;
  return rest;
};

const byNumber = (a: ControllerRevision, b: ControllerRevision): number =>
  a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1);

/**
 * @param hashLabel the label of the revision that carries the hash: kinds differ.
 */
export function syncHistory(objects: Objects, identity: Identity, owner: Revised, hashLabel: string): History {
  const { namespace = '', uid, name } = owner.metadata;
  const all = objects
    .list(CONTROLLER_REVISIONS, { namespace, having: [{ index: 'owner', value: uid }] })
    .filter((each) => controllerOf(each)?.uid === uid)
    .sort(byNumber);
  const newest = all.at(-1);
  const next = (newest?.revision ?? 0) + 1;
  let collisionCount = owner.status?.collisionCount ?? 0;
  const equal = all.findLast((each) => isEqual(templateOf(each), owner.spec.template));
  if (equal !== undefined) {
    if (equal === newest) return { update: equal, all, collisionCount };
    const update = objects.update(CONTROLLER_REVISIONS, { ...equal, revision: next });
    return { update, all: [...all.filter((each) => each !== equal), update], collisionCount };
  }
  for (;;) {
    const hash = templateHash(owner.spec.template, collisionCount === 0 ? undefined : collisionCount);
    const revisionName = `${name.slice(0, 223)}-${hash}`;
    // Taken by another template or another owner: a collision, so the next hash is made with another count.
    if (objects.get(CONTROLLER_REVISIONS, namespace, revisionName) !== undefined) {
      collisionCount += 1;
      continue;
    }
    const update = objects.create(CONTROLLER_REVISIONS, {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: revisionName,
        namespace,
        labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
        ownerReferences: [controllerReference(identity, owner)],
      },
      data: { spec: { template: { ...structuredClone(owner.spec.template), $patch: 'replace' } } },
      revision: next,
    });
    return { update, all: [...all, update], collisionCount };
  }
}

/** Removes the oldest revisions beyond the limit, but none that a pod still has. */
export function truncateHistory(
  objects: Objects,
  owner: Revised,
  all: readonly ControllerRevision[],
  live: ReadonlySet<string>,
): void {
  const idle = all.filter((each) => !live.has(each.metadata.name));
  const excess = idle.length - (owner.spec.revisionHistoryLimit ?? 10);
  for (const { metadata } of idle.slice(0, Math.max(0, excess))) {
    objects.delete(CONTROLLER_REVISIONS, metadata.namespace ?? '', metadata.name);
  }
}
