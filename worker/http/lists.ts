/**
 * GET of one object and of many. Stored text goes to the client as it is, unparsed; a list longer than a page is streamed,
 * page after page of the same revision, so that no list has to be in memory whole. Tables and bare metadata are parsed,
 * for they are computed.
 */
import { apiVersionOf, groupResourceOf, type KubeObject, type ListMeta } from '../../shared/api/meta.ts';
import { badRequest, notFound, resourceVersionTooLarge, StatusError } from '../../shared/errors.ts';
import { shownTexts } from '../links/conversion-call.ts';
import type { WebhookClient } from '../links/webhook-call.ts';
import { isStoredAs } from '../registry/conversion.ts';
import { parseSelection, type Selection } from '../registry/selection.ts';
import { columnDefinitions, type IncludeObject, partialMetadata, tableOf, tableRow } from '../registry/table.ts';
import type { ServedResource } from '../resources/catalog.ts';
import type { JsonObject } from '../resources/definition.ts';
import type { Reader, StoredObject, TextList } from '../store/store.ts';
import { compressible, JSON_HEADERS, json, jsonText } from './answers.ts';
import {
  type Continuation,
  expiredContinue,
  formatContinue,
  type ListOptions,
  parseContinue,
  parseResourceVersion,
} from './list-options.ts';
import type { AnswerForm } from './negotiation.ts';
import { type StreamPart, streamOf } from './text-stream.ts';
import { namedYaml } from './yaml-answer.ts';

interface Bounds {
  items: number;
  /** Of text; one object may be longer. */
  characters: number;
}

/** Of one turn; beyond, the answer is a stream. */
const TURN: Bounds = { items: 500, characters: 1024 * 1024 };
/** Kubernetes: a page may hold less than its limit; clients go on as long as it has a continue token. */
const PAGE_CHARACTERS = 8 * 1024 * 1024;

export interface ReadParts {
  reader: Reader;
  nowMs(): number;
  webhooks: WebhookClient;
  /** Of the answer (`apiHeaders`). */
  headers: Record<string, string>;
}

export function includeObject(query: URLSearchParams): IncludeObject {
  const asked = query.get('includeObject');
  return asked === 'None' || asked === 'Object' ? asked : 'Metadata';
}

/** The object as this group version shows it. */
export const servedText = (served: ServedResource, text: string): string =>
  served.convert === undefined ? text : JSON.stringify(served.convert.fromStored(JSON.parse(text) as JsonObject));

/** What a read shows of these; a promise only where a webhook has to be asked for some of them. */
function shownItems(
  { webhooks }: ReadParts,
  { definition }: ServedResource,
  items: StoredObject[],
): StoredObject[] | Promise<StoredObject[]> {
  const { conversion, identity } = definition;
  if (conversion === undefined) return items;
  const isShown = conversion.versions.get(identity.version)?.changed === false;
  if (isShown && items.every(({ text }) => isStoredAs(definition, text))) return items;
  const texts = items.map((each) => each.text);
  return shownTexts(webhooks, definition, texts).then((shown) =>
    items.map((each, index) => ({ ...each, text: shown[index] ?? each.text })),
  );
}

const then = <T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> =>
  value instanceof Promise ? value.then(next) : next(value);

/** One object, in the form that was negotiated. */
export function objectAnswer(
  parts: ReadParts,
  served: ServedResource,
  text: string,
  form: AnswerForm,
  query: URLSearchParams,
  status = 200,
): Response {
  const shown = servedText(served, text);
  if (form.yaml || (form.as === '' && !form.pretty)) {
    return textAnswer(jsonText(`${shown}\n`, status, parts.headers), form, shown.length);
  }
  const object = JSON.parse(shown) as KubeObject;
  if (form.as === 'Table') {
    // Columns are written for the stored form.
    const stored = JSON.parse(text) as KubeObject;
    const row = tableRow(served.definition, stored, includeObject(query), parts.nowMs(), form.version);
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    return json(tableOf(metadata, columnDefinitions(served.definition), [row], form.version), status, form.pretty);
  }
  if (form.as === 'PartialObjectMetadata') return json(partialMetadata(object, form.version), status, form.pretty);
  return json(object, status, form.pretty);
}

/** @throws StatusError 504 for a revision that is still to come. */
export function requireReached(reader: Reader, revision: number): void {
  // No revision, or 0, is always reached: most reads ask for none, and need not look.
  if (revision > 0 && revision > reader.revision) throw resourceVersionTooLarge(revision, reader.revision);
}

export function getObject(
  parts: ReadParts,
  served: ServedResource,
  namespace: string,
  name: string,
  form: AnswerForm,
  query: URLSearchParams,
): Response | Promise<Response> {
  requireReached(parts.reader, parseResourceVersion(query.get('resourceVersion') ?? ''));
  return then(readText(parts, served, namespace, name), (text) => objectAnswer(parts, served, text, form, query));
}

/** One object, in the version that is served. @throws StatusError 404 */
export function readText(
  parts: ReadParts,
  served: ServedResource,
  namespace: string,
  name: string,
): string | Promise<string> {
  const stored = parts.reader.get({ resource: groupResourceOf(served.definition.identity), namespace, name });
  if (stored === undefined) throw notFound(served.identity, name);
  return then(shownItems(parts, served, [stored]), ([shown]) => shown?.text ?? stored.text);
}

interface Shape {
  head(metadata: ListMeta): string;
  item(stored: StoredObject): string;
  tail: string;
}

function shapeOf(parts: ReadParts, served: ServedResource, form: AnswerForm, query: URLSearchParams): Shape {
  const nowMs = parts.nowMs();
  const open = (kind: string, apiVersion: string, metadata: ListMeta) =>
    `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)}`;
  if (form.as === 'Table') {
    const columns = JSON.stringify(columnDefinitions(served.definition));
    return {
      head: (metadata) =>
        `${open('Table', `meta.k8s.io/${form.version}`, metadata)},"columnDefinitions":${columns},"rows":[`,
      item: (stored) => {
        const object = JSON.parse(stored.text) as KubeObject;
        return JSON.stringify(tableRow(served.definition, object, includeObject(query), nowMs, form.version));
      },
      tail: ']}\n',
    };
  }
  if (form.as === 'PartialObjectMetadataList') {
    return {
      head: (metadata) => `${open('PartialObjectMetadataList', `meta.k8s.io/${form.version}`, metadata)},"items":[`,
      item: (stored) => JSON.stringify(partialMetadata(JSON.parse(stored.text) as KubeObject, form.version)),
      tail: ']}\n',
    };
  }
  return {
    head: (metadata) => `${open(served.listKind, apiVersionOf(served.identity), metadata)},"items":[`,
    item: (stored) => servedText(served, stored.text),
    tail: ']}\n',
  };
}

interface Query {
  resource: string;
  namespace: string | undefined;
  selection: Selection;
  /** undefined: now. */
  atRevision: number | undefined;
}

interface Page {
  items: StoredObject[];
  revision: number;
  /** Whether others follow. */
  more: boolean;
}

/** Items after a key, as many as the bounds allow; selectors on the key itself are applied here. */
function page(reader: Reader, query: Query, after: Continuation['after'] | undefined, bounds: Bounds): Page {
  const { selection } = query;
  const items: StoredObject[] = [];
  let characters = 0;
  let from = after;
  for (;;) {
    const part = reader.list({
      resource: query.resource,
      namespace: query.namespace,
      having: selection.having,
      matches: selection.matches,
      after: from,
      limit: bounds.items + 1,
      atRevision: query.atRevision,
    });
    const { revision } = part;
    let read = 0;
    for (const each of part.items) {
      const { namespace, name, text } = each;
      read += 1;
      from = { namespace, name };
      if (selection.matchesKey?.(namespace, name) === false) continue;
      if (items.length >= bounds.items || characters >= bounds.characters) return { items, revision, more: true };
      items.push(each);
      characters += text.length;
    }
    if (read <= bounds.items) return { items, revision, more: false };
  }
}

/** One name and nothing else asked is one look-up, however many objects there are. */
function single(reader: Reader, query: Query, namespaced: boolean): StoredObject[] | undefined {
  const { name, having, matches } = query.selection;
  if (name === undefined || having.length > 0 || matches !== undefined || query.atRevision !== undefined)
    return undefined;
  if (namespaced && query.namespace === undefined) return undefined;
  const stored = reader.get({ resource: query.resource, namespace: query.namespace ?? '', name });
  return stored !== undefined && query.selection.matchesKey?.(stored.namespace, name) ? [stored] : [];
}

export function listObjects(
  parts: ReadParts,
  served: ServedResource,
  namespace: string | undefined,
  options: ListOptions,
  form: AnswerForm,
  query: URLSearchParams,
): Response | Promise<Response> {
  const { reader } = parts;
  const { definition } = served;
  const selection = parseSelection(definition, options.labelSelector, options.fieldSelector);
  const from = options.continue === '' ? undefined : parseContinue(options.continue);
  const asked = parseResourceVersion(options.resourceVersion);
  if (from !== undefined && asked > 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  requireReached(reader, asked);
  // Kubernetes: a limit with a resourceVersion means that very revision, as it always did.
  const exact =
    options.resourceVersionMatch === 'Exact' || (options.resourceVersionMatch === '' && options.limit !== undefined);
  const atRevision =
    from !== undefined ? (from.revision === -1 ? undefined : from.revision) : exact && asked > 0 ? asked : undefined;
  const found: Query = { resource: groupResourceOf(definition.identity), namespace, selection, atRevision };
  const shape = shapeOf(parts, served, form, query);
  if (options.limit === undefined && isAsStored(served, form, selection)) {
    return ofTexts(reader, found, from, shape, form);
  }
  const bounds = options.limit === undefined ? TURN : { items: options.limit, characters: PAGE_CHARACTERS };
  const first = readFirst(parts, found, from, bounds, definition.identity.namespaced);
  const { items, more, revision } = first;
  const last = items.at(-1);
  if (more && options.limit === undefined) {
    const later = (each: StoredObject[]) => shownItems(parts, served, each);
    const begun = { ...found, atRevision: revision };
    return then(later(items), (shown) => streamed(reader, begun, shape, later, { ...first, items: shown }, form));
  }
  const metadata: ListMeta = { resourceVersion: String(revision) };
  if (more && last !== undefined) {
    const seen = (from?.seen ?? 0) + items.length;
    metadata.continue = formatContinue({ revision, after: { namespace: last.namespace, name: last.name }, seen });
    if (selection.isEmpty) {
      const total = reader.count({ resource: found.resource, namespace });
      metadata.remainingItemCount = Math.max(1, total - seen);
    }
  }
  return then(shownItems(parts, served, items), (shown) =>
    formed(shape.head(metadata) + shown.map(shape.item).join(',') + shape.tail, form),
  );
}

function readFirst(
  parts: ReadParts,
  query: Query,
  from: Continuation | undefined,
  bounds: Bounds,
  namespaced: boolean,
): Page {
  const one = from === undefined ? single(parts.reader, query, namespaced) : undefined;
  if (one !== undefined) return { items: one, revision: parts.reader.revision, more: false };
  return continued(from, () => page(parts.reader, query, from?.after, bounds));
}

function continued<T>(from: Continuation | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (from !== undefined && error instanceof StatusError && error.code === 410) throw expiredContinue(from);
    throw error;
  }
}

/** Whether the answer is stored text and nothing else, and the store can say by itself what belongs to it. */
const isAsStored = (served: ServedResource, form: AnswerForm, selection: Selection): boolean =>
  form.as === '' &&
  !form.pretty &&
  served.convert === undefined &&
  served.definition.conversion === undefined &&
  selection.matchesKey === undefined;

/** The texts as SQLite joins them. The first bytes are made in this turn, so that what is refused is no broken stream. */
function ofTexts(
  reader: Reader,
  query: Query,
  from: Continuation | undefined,
  shape: Shape,
  form: AnswerForm,
): Response {
  const { selection, ...place } = query;
  const { having, matches } = selection;
  const [list, first] = continued(from, () => {
    const list = reader.texts({ ...place, having, matches, after: from?.after });
    return [list, list.next()] as const;
  });
  const head = shape.head({ resourceVersion: String(list.revision) });
  if (list.ended || first === undefined) {
    const body = joined([head, first?.subarray(1) ?? '', shape.tail]);
    return textAnswer(new Response(body, { headers: JSON_HEADERS }), form, body.byteLength);
  }
  const stream = streamOf(textsAfter(list, head, first, shape.tail));
  return textAnswer(new Response(stream, { headers: JSON_HEADERS }), form);
}

function* textsAfter(list: TextList, head: string, first: Uint8Array, tail: string): Generator<StreamPart> {
  yield head;
  // Without its comma.
  yield first.subarray(1);
  for (let texts = list.next(); texts !== undefined; texts = list.next()) yield texts;
  yield tail;
}

function joined(parts: readonly StreamPart[]): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part));
  const whole = new Uint8Array(bytes.reduce((sum, each) => sum + each.byteLength, 0));
  let at = 0;
  for (const each of bytes) {
    whole.set(each, at);
    at += each.byteLength;
  }
  return whole;
}

/** People read lists at a terminal; what they get may cost a parse. */
function formed(text: string, form: AnswerForm): Response {
  const pretty = form.pretty && !form.yaml;
  return textAnswer(pretty ? json(JSON.parse(text), 200, true) : jsonText(text), form, text.length);
}

/** The Worker makes YAML of it, or it goes to the client as it is. */
const textAnswer = (answer: Response, form: AnswerForm, length?: number): Response =>
  form.yaml ? namedYaml(answer) : compressible(answer, form, length);

function streamed(
  reader: Reader,
  query: Query,
  shape: Shape,
  shown: (items: StoredObject[]) => StoredObject[] | Promise<StoredObject[]>,
  first: Page,
  form: AnswerForm,
): Response | Promise<Response> {
  const parts = async function* (): AsyncGenerator<string> {
    yield shape.head({ resourceVersion: String(query.atRevision) });
    yield first.items.map(shape.item).join(',');
    for (let { items, more } = first; more; ) {
      const last = items.at(-1);
      if (last === undefined) break;
      ({ items, more } = page(reader, query, { namespace: last.namespace, name: last.name }, TURN));
      yield `,${(await shown(items)).map(shape.item).join(',')}`;
    }
    yield shape.tail;
  };
  if (form.pretty) return whole(parts(), form);
  const answer = new Response(streamOf(parts()), { headers: JSON_HEADERS });
  return textAnswer(answer, form);
}

async function whole(parts: AsyncIterable<string>, form: AnswerForm): Promise<Response> {
  let text = '';
  for await (const part of parts) text += part;
  return formed(text, form);
}
