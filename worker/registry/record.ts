/**
 * Events that the control plane records about objects. Equal ones of the last ten minutes are one Event with a count: its
 * name is made of what it says, so finding it is a look-up by key.
 * Source: client-go, tools/record/events_cache.go
 */
import { EVENTS, type Event, type ObjectReference } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { formatTime, parseTime } from '../../shared/time.ts';
import { commit, readCurrent } from './commit.ts';
import { create } from './create.ts';
import { copyJson } from './json.ts';
import type { Session } from './session.ts';

const JOIN_MS = 10 * 60_000;
const MAX_MESSAGE = 1024;

export type EventText = Pick<Event, 'type' | 'reason' | 'message'> & { component: string };

const isObject = (about: ObjectReference | KubeObject): about is KubeObject => 'metadata' in about;

function referenceOf(about: ObjectReference | KubeObject): ObjectReference {
  if (!isObject(about)) return about;
  const { name, namespace, uid, resourceVersion } = about.metadata;
  return { apiVersion: about.apiVersion, kind: about.kind, namespace, name, uid, resourceVersion };
}

/** FNV-1a over UTF-16 units, 2 × 32 bits: enough to name a text, and nothing depends on its secrecy. */
function digest(text: string): string {
  let high = 0x811c9dc5;
  let low = 0xcbf29ce4;
  for (let index = 0; index < text.length; index++) {
    high = Math.imul(high ^ text.charCodeAt(index), 0x01000193);
    low = Math.imul(low ^ (text.charCodeAt(index) + index), 0x01000193);
  }
  return [high, low].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Kubernetes: events of cluster-scoped objects live in `default`. A namespace that ends takes no more of them. */
function takesEvents(session: Session, namespace: string): boolean {
  const found = session.reader.get('namespaces', '', namespace);
  return found !== undefined && found.metadata.deletionTimestamp === undefined;
}

export function recordEvent(session: Session, about: ObjectReference | KubeObject, event: EventText): void {
  const definition = session.parts.catalog().findGroupResource('events');
  if (definition === undefined) throw new Error('events are not served');
  const involvedObject = referenceOf(about);
  const namespace = involvedObject.namespace || 'default';
  if (!takesEvents(session, namespace)) return;
  const message = (event.message ?? '').slice(0, MAX_MESSAGE);
  const { resourceVersion: _, ...identity } = involvedObject;
  const said = JSON.stringify([identity, event.type, event.reason, message, event.component]);
  const name = `${(involvedObject.name ?? 'unknown').slice(0, 200)}.${digest(said)}`;
  const now = formatTime(session.transaction.nowMs);
  const known = readCurrent(session, definition, namespace, name);
  if (known !== undefined) {
    const draft = copyJson(known.object) as Event;
    const fresh = session.transaction.nowMs - (parseTime(draft.lastTimestamp ?? '') ?? 0) <= JOIN_MS;
    draft.count = fresh ? (draft.count ?? 1) + 1 : 1;
    if (!fresh) draft.firstTimestamp = now;
    draft.lastTimestamp = now;
    draft.involvedObject = involvedObject;
    commit(session, definition, draft, known);
    return;
  }
  const draft = {
    apiVersion: 'v1',
    kind: EVENTS.kind,
    metadata: { name, namespace },
    involvedObject,
    reason: event.reason,
    message,
    source: { component: event.component },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    type: event.type ?? 'Normal',
    reportingComponent: event.component,
    reportingInstance: '',
  };
  create(session, definition, namespace, draft);
}
