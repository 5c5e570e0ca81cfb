/**
 * Events, served as `v1` and as `events.k8s.io/v1`, stored in the first form. Recording and joining them is the registry's.
 * Source: kubernetes, pkg/apis/core/validation/events.go and pkg/printers/internalversion.
 */
import { EVENTS, type Event, type ObjectReference } from '../../shared/api/core.ts';
import type { Draft, Identity, KubeObject, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue, required } from '../../shared/errors.ts';
import { ageOf } from '../../shared/time.ts';
import { NAME, text } from './columns.ts';
import type { JsonObject, ResourceDefinition } from './definition.ts';
import { checkDNSSubdomain, checkQualifiedName } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

/** `events.k8s.io/v1`: the same event under other names. */
interface NewEvent extends KubeObject {
  eventTime?: string | null;
  series?: { count?: number; lastObservedTime?: string };
  reportingController?: string;
  reportingInstance?: string;
  action?: string;
  reason?: string;
  regarding?: ObjectReference;
  related?: ObjectReference;
  note?: string;
  type?: 'Normal' | 'Warning';
  deprecatedSource?: Event['source'];
  deprecatedFirstTimestamp?: string | null;
  deprecatedLastTimestamp?: string | null;
  deprecatedCount?: number;
}

const NEW_EVENTS: Identity<NewEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  resource: 'events',
  kind: 'Event',
  namespaced: true,
};

/** Name in `events.k8s.io/v1` → name in `v1`, where they differ. */
const RENAMED: readonly (readonly [string, string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function rename(object: JsonObject, pairs: readonly (readonly [string, string])[], apiVersion: string): JsonObject {
  const names = new Map(pairs);
  const renamed = Object.fromEntries(Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value]));
  return { ...renamed, apiVersion };
}

export const eventFromStored = (object: Event): JsonObject =>
  rename(
    { ...object },
    RENAMED.map(([served, stored]) => [stored, served] as const),
    'events.k8s.io/v1',
  );

export function eventToStored(object: JsonObject): Draft<Event> {
  const stored = rename(object, RENAMED, 'v1');
  return { ...stored, involvedObject: stored.involvedObject ?? {} } as unknown as Draft<Event>;
}

const isNewStyle = (event: Draft<Event>): boolean => Boolean(event.eventTime);

function validate(draft: Draft<Event>): StatusCause[] {
  const causes: StatusCause[] = [];
  const namespace = draft.involvedObject?.namespace ?? '';
  const own = draft.metadata.namespace ?? '';
  const clusterScoped = namespace === '' && own !== 'default' && own !== 'kube-system';
  if (clusterScoped || (namespace !== '' && namespace !== own)) {
    causes.push(invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace'));
  }
  if (!isNewStyle(draft)) return causes;
  const component = draft.reportingComponent ?? '';
  if (component === '') causes.push(required('reportingController'));
  for (const message of component === '' ? [] : checkQualifiedName(component)) {
    causes.push(invalidValue('reportingController', component, message));
  }
  const limited = {
    reportingInstance: [draft.reportingInstance, 128],
    action: [draft.action, 128],
    reason: [draft.reason, 128],
  };
  for (const [field, [value, most]] of Object.entries(limited) as [string, [string | undefined, number]][]) {
    if (!value) causes.push(required(field));
    else if (value.length > most) causes.push(invalidValue(field, '', `can have at most ${most} characters`));
  }
  if ((draft.message ?? '').length > 1024) causes.push(invalidValue('message', '', 'can have at most 1024 characters'));
  return causes;
}

function seen(event: Event, nowMs: number): { first: string; last: string; count: number } {
  const first = ageOf(event.firstTimestamp ?? event.eventTime, nowMs);
  const last = event.lastTimestamp ? ageOf(event.lastTimestamp, nowMs) : first;
  if (event.series) return { first, last: ageOf(event.series.lastObservedTime, nowMs), count: event.series.count ?? 0 };
  return { first, last, count: event.count || 1 };
}

function sourceOf(event: Event): string {
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || event.reportingInstance || '';
  return host === '' ? component : `${component}, ${host}`;
}

function targetOf({ involvedObject }: Event): string {
  const kind = (involvedObject?.kind ?? '').toLowerCase();
  return involvedObject?.name ? `${kind}/${involvedObject.name}` : kind;
}

export const EVENTS_DEFINITION: ResourceDefinition<Event> = {
  identity: EVENTS,
  alsoServedAs: [
    {
      identity: NEW_EVENTS,
      schema: 'io.k8s.api.events.v1.Event',
      fromStored: eventFromStored,
      toStored: eventToStored,
    },
  ],
  singular: 'event',
  listKind: 'EventList',
  shortNames: ['ev'],
  verbs: ALL_VERBS,
  subresources: [],
  schema: 'io.k8s.api.core.v1.Event',
  generation: false,
  createOnUpdate: true,
  unconditionalUpdate: true,
  validate,
  validateName: checkDNSSubdomain,
  fields: (event) => ({
    'involvedObject.kind': event.involvedObject?.kind ?? '',
    'involvedObject.namespace': event.involvedObject?.namespace ?? '',
    'involvedObject.name': event.involvedObject?.name ?? '',
    'involvedObject.uid': event.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': event.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': event.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': event.involvedObject?.fieldPath ?? '',
    reason: event.reason ?? '',
    reportingComponent: event.reportingComponent ?? '',
    source: event.source?.component || event.reportingComponent || '',
    type: event.type ?? '',
  }),
  columns: [
    text<Event>(
      'Last Seen',
      'The time at which the most recent occurrence of this event was recorded.',
      (event, nowMs) => seen(event, nowMs).last,
    ),
    text<Event>(
      'Type',
      'Type of this event (Normal, Warning), new types could be added in the future',
      (event) => event.type ?? '',
    ),
    text<Event>(
      'Reason',
      "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
      (event) => event.reason ?? '',
    ),
    text<Event>('Object', 'The object that this event is about.', targetOf),
    text<Event>(
      'Subobject',
      'If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement, such as desiredState.manifest.containers[2].',
      (event) => event.involvedObject?.fieldPath ?? '',
      true,
    ),
    text<Event>(
      'Source',
      'The component reporting this event. Should be a short machine understandable string.',
      sourceOf,
      true,
    ),
    text<Event>('Message', 'A human-readable description of the status of this operation.', (event) =>
      (event.message ?? '').trim(),
    ),
    text<Event>(
      'First Seen',
      'The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)',
      (event, nowMs) => seen(event, nowMs).first,
      true,
    ),
    {
      name: 'Count',
      type: 'string',
      description: 'The number of times this event has occurred.',
      priority: 1,
      value: (event, nowMs) => seen(event, nowMs).count,
    },
    { ...NAME, priority: 1 },
  ],
};
