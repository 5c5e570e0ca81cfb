/** `Objects` over a Session: what controllers, the scheduler and the links call. Each call is the verb of its name. */
import { PODS, type Pod } from '../../shared/api/core.ts';
import { type Draft, groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { notFound, StatusError } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import { schemaOf } from '../resources/catalog.ts';
import type { JsonObject, ResourceDefinition } from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import { bind } from './binding.ts';
import { commit, keyOf, readCurrent } from './commit.ts';
import { asStored } from './conversion.ts';
import { create } from './create.ts';
import { deleteObject } from './delete.ts';
import { copyJson } from './json.ts';
import type { Objects } from './objects.ts';
import { recordEvent } from './record.ts';
import type { Session } from './session.ts';
import { isStatusAlone, replaceStatus } from './status.ts';
import { type UpdateOptions, update } from './update.ts';
import { WebhooksNeeded } from './webhook-journal.ts';

/** Stands where a name, a uid or a revision would be that nobody has given yet. */
const UNKNOWN = '0';

export function typedObjects(session: Session): Objects {
  const { journal } = session;

  /** A write that has to wait for webhooks is taken for done where the run may go on: nothing of that run stays. */
  const supposing = <T>(write: () => T, supposed: () => T): T => {
    if (journal === undefined) return write();
    try {
      return write();
    } catch (error) {
      if (!(error instanceof WebhooksNeeded) || !journal.postpone(error.questions)) throw error;
      return supposed();
    }
  };

  const definitionOf = (identity: Identity, { apiVersion }: { apiVersion: string }): ResourceDefinition => {
    const found = session.parts.catalog().findGroupResource(groupResourceOf(identity));
    if (found === undefined) throw new Error(`${groupResourceOf(identity)} is not a resource that is served`);
    return asStored(found, apiVersion);
  };

  /** An object to be written as it lies there; undefined: there is none. */
  const found = (identity: Identity, namespace: string, name: string): ResourceDefinition | undefined => {
    const stored = session.transaction.get(keyOf(identity, namespace, name));
    return stored === undefined ? undefined : definitionOf(identity, JSON.parse(stored.text) as KubeObject);
  };

  /** A copy in canonical form, without absent members: what the caller holds stays the caller's. */
  const take = (definition: ResourceDefinition, draft: unknown): KubeObject => {
    const copy = JSON.parse(JSON.stringify(draft)) as JsonObject;
    checkFields(schemaOf(definition), copy);
    return copy as unknown as KubeObject;
  };

  const change = <T extends KubeObject>(
    identity: Identity<T>,
    draft: T,
    subresource: NonNullable<UpdateOptions['subresource']>,
  ): T => {
    const definition = definitionOf(identity, draft);
    const { namespace = '', name } = draft.metadata;
    const write = () =>
      copyJson(update(session, definition, namespace, name, take(definition, draft), { subresource }).object);
    return supposing(write, () => copyJson(draft)) as T;
  };

  return {
    get nowMs() {
      return session.transaction.nowMs;
    },

    get<T extends KubeObject>(identity: Identity<T>, namespace: string, name: string): T | undefined {
      const stored = session.transaction.get(keyOf(identity, namespace, name));
      return stored === undefined ? undefined : (JSON.parse(stored.text) as T);
    },

    list<T extends KubeObject>(identity: Identity<T>, query = {}): T[] {
      const page = session.transaction.list({ resource: groupResourceOf(identity), ...query });
      return Array.from(page.items, (stored) => JSON.parse(stored.text) as T);
    },

    oldest: (identity, limit) => session.transaction.oldest(groupResourceOf(identity), limit),

    create(identity, draft, options = {}) {
      const definition = definitionOf(identity, draft as KubeObject);
      const namespace = draft.metadata.namespace ?? '';
      const write = () => copyJson(create(session, definition, namespace, take(definition, draft), options).object);
      const drawn = () =>
        journal === undefined ? write() : journal.drawingFor(`${identity.resource} ${JSON.stringify(draft)}`, write);
      return supposing(drawn, () => supposedOf(draft, session.transaction.nowMs)) as typeof draft & never;
    },

    update: (identity, draft) => change(identity, draft, ''),
    updateStatus: (identity, draft) => change(identity, draft, 'status'),

    replaceStatus(identity, namespace, name, compose) {
      const current = session.recent.read(session.transaction, keyOf(identity, namespace, name));
      if (current === undefined) throw notFound(identity, name);
      const object = current.object as Parameters<typeof compose>[0];
      const status = compose(object);
      const definition = definitionOf(identity, object);
      if (!isStatusAlone(definition, current)) return change(identity, { ...object, status }, 'status');
      const write = () => replaceStatus(session, definition, current, status as JsonObject).object;
      return supposing(write, () => ({ ...object, status })) as typeof object;
    },

    finalize: (identity, draft) => change(identity, draft, 'finalize'),

    bind(pod, nodeName) {
      const supposed = (): Pod => {
        const current = this.get(PODS, pod.namespace, pod.name);
        if (current === undefined) throw notFound(PODS, pod.name);
        return { ...current, spec: { ...current.spec, nodeName } };
      };
      const { namespace, name } = pod;
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: pod, target: { kind: 'Node', name: nodeName } };
      return supposing(() => copyJson(bind(session, namespace, name, binding).object) as Pod, supposed);
    },

    delete(identity, namespace, name, options = {}) {
      const definition = found(identity, namespace, name);
      if (definition === undefined) return;
      supposing(
        () => void deleteObject(session, definition, namespace, name, options),
        () => undefined,
      );
    },

    reindex(identity, namespace, name) {
      const definition = found(identity, namespace, name);
      const current = definition && readCurrent(session, definition, namespace, name);
      if (definition !== undefined && current !== undefined) commit(session, definition, current.object, current);
    },

    record(about, event) {
      if (journal === undefined) return recordEvent(session, about, event);
      try {
        supposing(
          () => recordEvent(session, about, event),
          () => undefined,
        );
      } catch (error) {
        // Kubernetes: an Event that is refused is lost, and nobody waits for it.
        if (!(error instanceof StatusError)) throw error;
      }
    },
  };
}

/** A created object as far as it is known before anybody has created it. */
function supposedOf(draft: Draft<KubeObject>, nowMs: number): KubeObject {
  const { name, generateName = '' } = draft.metadata;
  return {
    ...(copyJson(draft) as KubeObject),
    metadata: {
      ...copyJson(draft.metadata),
      name: name ?? `${generateName}${UNKNOWN}`,
      uid: UNKNOWN,
      resourceVersion: UNKNOWN,
      creationTimestamp: formatTime(nowMs),
    },
  };
}
