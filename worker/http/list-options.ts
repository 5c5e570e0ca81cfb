/**
 * The query of a list or watch, read and held against each other as apimachinery does: resourceVersion, its match, paging,
 * selectors, initial events, bookmarks; and the continue token that joins the pages of a list.
 * Source: k8s.io/apimachinery/pkg/apis/meta/internalversion/validation
 */
import type { StatusCause } from '../../shared/api/meta.ts';
import { badRequest, expired, forbiddenField, invalid, invalidValue, notSupported } from '../../shared/errors.ts';

export interface ListOptions {
  labelSelector: string;
  fieldSelector: string;
  /** '' when the client names none. */
  resourceVersion: string;
  resourceVersionMatch: string;
  /** undefined: all. */
  limit: number | undefined;
  continue: string;
  sendInitialEvents: boolean | undefined;
  allowWatchBookmarks: boolean;
  timeoutSeconds: number | undefined;
}

const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };

const isTrue = (value: string | null): boolean => value !== null && value !== 'false' && value !== '0';

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

/** @throws StatusError 400 for what cannot be read, 422 for what does not go together. */
export function parseListOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const initial = query.get('sendInitialEvents');
  const limit = integer(query, 'limit');
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    continue: query.get('continue') ?? '',
    sendInitialEvents: initial === null || initial === '' ? undefined : isTrue(initial),
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    timeoutSeconds: integer(query, 'timeoutSeconds'),
  };
  const causes = watch ? watchCauses(options) : listCauses(options);
  if (causes.length > 0) throw invalid(LIST_OPTIONS, '', causes);
  return options;
}

const MATCH = 'resourceVersionMatch';

function listCauses(options: ListOptions): StatusCause[] {
  const causes: StatusCause[] = [];
  const match = options.resourceVersionMatch;
  if (match !== '') {
    if (options.resourceVersion === '') {
      causes.push(forbiddenField(MATCH, `${MATCH} is forbidden unless resourceVersion is provided`));
    }
    if (options.continue !== '') causes.push(forbiddenField(MATCH, `${MATCH} is forbidden when continue is provided`));
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      causes.push(notSupported(MATCH, match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && options.resourceVersion === '0') {
      causes.push(forbiddenField(MATCH, `${MATCH} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (options.sendInitialEvents !== undefined) {
    causes.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  return causes;
}

function watchCauses(options: ListOptions): StatusCause[] {
  const causes: StatusCause[] = [];
  const match = options.resourceVersionMatch;
  if (options.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    causes.push(forbiddenField(MATCH, `sendInitialEvents requires setting ${MATCH} to NotOlderThan`));
  }
  if (match !== '') {
    if (options.sendInitialEvents === undefined) {
      causes.push(forbiddenField(MATCH, `${MATCH} is forbidden for watch unless sendInitialEvents is provided`));
    }
    if (match !== 'NotOlderThan') causes.push(notSupported(MATCH, match, ['NotOlderThan']));
    if (options.continue !== '') causes.push(forbiddenField(MATCH, `${MATCH} is forbidden when continue is provided`));
  }
  return causes;
}

/** 0 for '' and '0'. @throws StatusError 400 */
export function parseResourceVersion(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) {
    const { message } = invalidValue('', text, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
    throw badRequest(`resourceVersion: ${message}`);
  }
  return Number(text);
}

// ---- Continue tokens -----------------------------------------------------------------------------------------------

export interface Continuation {
  /** The revision that every page shows; -1: whatever is there now, after the token had expired. */
  revision: number;
  after: { namespace: string; name: string };
  /** How many items the pages before had. */
  seen: number;
}

const TOKEN_VERSION = 'meta.k8s.io/v1';

export function formatContinue(continuation: Continuation): string {
  const { revision, after, seen } = continuation;
  const text = JSON.stringify({ v: TOKEN_VERSION, rv: revision, start: `${after.namespace}/${after.name}`, seen });
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws StatusError 400 for a token that is none of ours. */
export function parseContinue(token: string): Continuation {
  const bad = (why: string) => badRequest(`continue key is not valid: ${why}`);
  let value: { v?: unknown; rv?: unknown; start?: unknown; seen?: unknown };
  try {
    value = JSON.parse(atob(token.replaceAll('-', '+').replaceAll('_', '/'))) as typeof value;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DOMException) throw bad('illegal base64 data or JSON');
    throw error;
  }
  if (value?.v !== TOKEN_VERSION)
    throw bad(`server does not recognize this encoded version ${JSON.stringify(value?.v)}`);
  const { rv, start, seen } = value;
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0)
    throw bad('incorrect encoded start resourceVersion');
  const slash = typeof start === 'string' ? start.indexOf('/') : -1;
  if (typeof start !== 'string' || slash === -1) throw bad('encoded start key');
  return {
    revision: rv,
    after: { namespace: start.slice(0, slash), name: start.slice(slash + 1) },
    seen: typeof seen === 'number' ? seen : 0,
  };
}

/** The pages' revision is compacted: the client may start again, or go on with what is there now. */
export function expiredContinue(continuation: Continuation) {
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  error.status.metadata = { continue: formatContinue({ ...continuation, revision: -1 }) };
  return error;
}
