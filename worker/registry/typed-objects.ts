/** `Objects` over a Session: what controllers, the scheduler and the links call. Each call is the verb of its name. */
import type { Pod } from '../../shared/api/core.ts';
import { groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
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
import { update } from './update.ts';

export function typedObjects(session: Session): Objects {
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

    create(identity, draft) {
      const definition = definitionOf(identity, draft as KubeObject);
      const namespace = draft.metadata.namespace ?? '';
      return copyJson(create(session, definition, namespace, take(definition, draft)).object) as typeof draft & never;
    },

    update(identity, draft) {
      const definition = definitionOf(identity, draft);
      const { namespace = '', name } = draft.metadata;
      return copyJson(update(session, definition, namespace, name, take(definition, draft)).object) as typeof draft;
    },

    updateStatus(identity, draft) {
      const definition = definitionOf(identity, draft);
      const { namespace = '', name } = draft.metadata;
      const written = update(session, definition, namespace, name, take(definition, draft), { subresource: 'status' });
      return copyJson(written.object) as typeof draft;
    },

    finalize(identity, draft) {
      const definition = definitionOf(identity, draft);
      const { namespace = '', name } = draft.metadata;
      const written = update(session, definition, namespace, name, take(definition, draft), {
        subresource: 'finalize',
      });
      return copyJson(written.object) as typeof draft;
    },

    bind: (pod, nodeName) => copyJson(bind(session, pod, nodeName).object) as Pod,

    delete(identity, namespace, name, options = {}) {
      const definition = found(identity, namespace, name);
      if (definition === undefined) return;
      deleteObject(session, definition, namespace, name, options);
    },

    reindex(identity, namespace, name) {
      const definition = found(identity, namespace, name);
      const current = definition && readCurrent(session, definition, namespace, name);
      if (definition !== undefined && current !== undefined) commit(session, definition, current.object, current);
    },

    record: (about, event) => recordEvent(session, about, event),
  };
}
