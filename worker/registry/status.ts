/**
 * A status alone, as minions report it by the thousand: what stays of the object is neither copied nor looked at again, and
 * what stays of the status was checked when it was written. The same as PUT …/status with nothing else changed
 * (`update.ts`), which everything goes through that this file does not know.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import { invalid } from '../../shared/errors.ts';
import type { JsonObject, ResourceDefinition } from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import type { IndexEntry } from '../store/store.ts';
import { admit, admitValid } from './admit.ts';
import { storedSchema, trackStatus } from './apply/tracking.ts';
import { commit, keyOf, type Written } from './commit.ts';
import type { Current } from './current.ts';
import { entriesOf } from './entries.ts';
import { equalJson, isMap, ownValue, setKey } from './json.ts';
import type { Session } from './session.ts';
import { serialiseShared } from './shared-text.ts';
import type { Write } from './write.ts';

type WithStatus = KubeObject & { status?: unknown };

/** Whether the status can be written alone: not when that may end the object, or its kind has a say in it. */
export const isStatusAlone = ({ conversion, composePart }: ResourceDefinition, { object }: Current): boolean =>
  conversion === undefined && composePart === undefined && object.metadata.deletionTimestamp === undefined;

/**
 * @param given becomes part of what is stored; the caller must not use it afterwards.
 * @throws StatusError as PUT …/status would answer.
 */
export function replaceStatus(
  session: Session,
  definition: ResourceDefinition,
  current: Current,
  given: JsonObject,
): Written {
  const stored: WithStatus = current.object;
  const status = checkedStatus(definition, given, isMap(stored.status) ? stored.status : {});
  if (status === stored.status) return { object: stored, text: current.text };
  // What is shared with what is stored is not written to: no plugin changes anything on this path.
  const draft: WithStatus = { ...stored, status, metadata: { ...stored.metadata } };
  trackStatus(session, definition, draft, stored);
  const { name, namespace = '' } = stored.metadata;
  const asked: Write = {
    operation: 'UPDATE',
    definition,
    subresource: 'status',
    namespace,
    name,
    draft,
    current: stored,
  };
  admit(session, asked);
  const causes = definition.validateStatus?.(draft, stored) ?? [];
  if (causes.length > 0) throw invalid(definition.identity, name, causes);
  admitValid(session, asked);
  const entries = entriesAfter(definition, draft, current);
  const written = commit(session, definition, draft, current, { textOf: serialiseShared, entries });
  if (!session.dryRun) keep(session, definition, written, entries);
  return written;
}

/** Of what an object can be found by, a status decides nothing but selectable fields. */
function entriesAfter(
  definition: ResourceDefinition,
  draft: KubeObject,
  { object, entries }: Current,
): readonly IndexEntry[] {
  const stays = entries !== undefined && equalJson(definition.fields?.(draft), definition.fields?.(object));
  return stays ? entries : entriesOf(definition, draft);
}

function keep(
  session: Session,
  { identity }: ResourceDefinition,
  { object, text }: Written,
  entries: readonly IndexEntry[],
): void {
  const { name, namespace = '', resourceVersion } = object.metadata;
  session.recent.keep(keyOf(identity, namespace, name), { object, text, revision: Number(resourceVersion), entries });
}

/** The status in canonical form, made of the stored one's parts where those say the same; the stored one itself when all do. */
function checkedStatus(definition: ResourceDefinition, given: JsonObject, stored: JsonObject): JsonObject {
  const fresh: JsonObject = {};
  for (const key of Object.keys(given)) {
    if (!isSame(given, stored, key)) setKey(fresh, key, given[key]);
  }
  const changed = Object.keys(fresh);
  if (changed.length === 0 && Object.keys(given).length === Object.keys(stored).length) return stored;
  checkFields(storedSchema(definition), { status: fresh });
  const status: JsonObject = {};
  for (const key of Object.keys(given)) {
    const value = changed.includes(key) ? ownValue(fresh, key) : stored[key];
    if (value !== undefined) setKey(status, key, value);
  }
  return equalJson(status, stored) ? stored : status;
}

const isSame = (given: JsonObject, stored: JsonObject, key: string): boolean =>
  Object.hasOwn(stored, key) && equalJson(given[key], stored[key]);
