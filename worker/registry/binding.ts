/** POST pods/NAME/binding: a pod gets its node, once. Source: kubernetes, pkg/registry/core/pod/storage (assignPod). */
import { PODS, type Pod } from '../../shared/api/core.ts';
import { conflict, notFound } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { admit, admitValid } from './admit.ts';
import { commit, readCurrent, type Written } from './commit.ts';
import { copyJson } from './json.ts';
import type { Session } from './session.ts';
import type { Write } from './write.ts';

const PODS_BINDING = { group: '', resource: 'pods/binding' };

export function bind(
  session: Session,
  asked: { namespace: string; name: string; uid?: string },
  nodeName: string,
): Written {
  const definition = session.parts.catalog().findGroupResource('pods');
  if (definition === undefined) throw new Error('pods are not served');
  const current = readCurrent(session, definition, asked.namespace, asked.name);
  if (current === undefined) throw notFound(PODS, asked.name);
  const draft = copyJson(current.object) as Pod;
  if (asked.uid && asked.uid !== draft.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${asked.uid}, UID in object meta: ${draft.metadata.uid}`;
    throw conflict(PODS_BINDING, asked.name, why);
  }
  if (draft.metadata.deletionTimestamp) {
    throw conflict(PODS_BINDING, asked.name, `pod ${asked.name} is being deleted, cannot be assigned to a host`);
  }
  if (draft.spec.nodeName) {
    const why = `pod ${asked.name} is already assigned to node ${JSON.stringify(draft.spec.nodeName)}`;
    throw conflict(PODS_BINDING, asked.name, why);
  }
  draft.spec.nodeName = nodeName;
  const conditions = (draft.status?.conditions ?? []).filter((condition) => condition.type !== 'PodScheduled');
  draft.status = {
    ...draft.status,
    conditions: [
      ...conditions,
      {
        type: 'PodScheduled',
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: formatTime(session.transaction.nowMs),
      },
    ],
  };
  const written: Write = {
    operation: 'UPDATE',
    definition,
    subresource: 'binding',
    namespace: asked.namespace,
    name: asked.name,
    draft,
    current: current.object,
  };
  admit(session, written);
  admitValid(session, written);
  return commit(session, definition, draft, current);
}
