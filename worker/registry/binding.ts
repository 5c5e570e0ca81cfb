/**
 * POST pods/NAME/binding, and the old POST bindings: a pod gets its node, once. What is judged is the Binding, by whoever it
 * comes; the pod that it changes is the API's own doing.
 * Source: kubernetes, pkg/registry/core/pod/storage (BindingREST, assignPod)
 */
import { type Binding, PODS, type Pod } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { conflict, invalid, notFound, notSupported, required } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { admit, admitValid } from './admit.ts';
import { commit, readCurrent, type Written } from './commit.ts';
import { copyJson } from './json.ts';
import type { Session } from './session.ts';
import type { Write } from './write.ts';

const PODS_BINDING = { group: '', resource: 'pods/binding' };
const KIND = { group: '', kind: 'Binding' };

/** @param path as which it came: webhooks and policies know it by that. */
export function bind(
  session: Session,
  namespace: string,
  name: string,
  given: Draft<Binding>,
  path: 'pods' | 'bindings' = 'pods',
): Written {
  const binding = admitted(session, namespace, name, given, path);
  const definition = definitionOf(session, 'pods');
  const current = readCurrent(session, definition, namespace, name);
  if (current === undefined) throw notFound(PODS, name);
  const draft = copyJson(current.object) as Pod;
  requireFree(draft, binding);
  draft.spec.nodeName = binding.target.name ?? '';
  const { annotations } = binding.metadata;
  if (annotations !== undefined) draft.metadata.annotations = { ...draft.metadata.annotations, ...annotations };
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
  return commit(session, definition, draft, current);
}

function definitionOf(session: Session, resource: string) {
  const definition = session.parts.catalog().findGroupResource(resource);
  if (definition === undefined) throw new Error(`${resource} are not served`);
  return definition;
}

/** The Binding as webhooks leave it. */
function admitted(
  session: Session,
  namespace: string,
  name: string,
  given: Draft<Binding>,
  path: 'pods' | 'bindings',
): Binding {
  const binding = copyJson(given) as Binding;
  Object.assign(binding, { kind: 'Binding', apiVersion: 'v1', metadata: { ...binding.metadata, name, namespace } });
  const asked: Write = {
    operation: 'CREATE',
    definition: definitionOf(session, path),
    ...(path === 'pods' ? { part: 'binding' as const } : {}),
    namespace,
    name,
    draft: binding,
  };
  admit(session, asked);
  const { kind, name: node } = binding.target ?? {};
  if (!node) throw invalid(KIND, name, [required('target.name')]);
  if (kind && kind !== 'Node') throw invalid(KIND, name, [notSupported('target.kind', kind, ['Node'])]);
  admitValid(session, asked);
  return binding;
}

function requireFree({ metadata, spec }: Pod, binding: Binding): void {
  const { name, uid } = binding.metadata;
  if (uid && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(PODS_BINDING, name, why);
  }
  if (metadata.deletionTimestamp) {
    throw conflict(PODS_BINDING, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if (spec.nodeName) {
    throw conflict(PODS_BINDING, name, `pod ${name} is already assigned to node ${JSON.stringify(spec.nodeName)}`);
  }
}
