/**
 * Acting as somebody else: what the Impersonate headers ask for (read in the Worker), and whether the caller may (judged in
 * the Cluster object). The request then goes on as that user, through whatever door it came.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
import { internalError } from '../../shared/errors.ts';
import type { Impersonation } from '../rpc.ts';
import type { Store } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import { type Attributes, authorize, forbiddenError } from './authorization.ts';

const PREFIX = 'impersonate-';
/** Behind that. */
const EXTRA_PREFIX = 'extra-';
const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)$/;
const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';

/** Undefined: the caller acts for himself. @throws StatusError 500 for a part without a user, as upstream. */
export function impersonationOf(headers: Headers): Impersonation | undefined {
  const asked = new Map<string, string>();
  // Every request comes through here: one look at its headers, without an iterator that V8 has to trace.
  headers.forEach((value, name) => {
    if (name.startsWith(PREFIX)) asked.set(name.slice(PREFIX.length), value);
  });
  if (asked.size === 0) return undefined;
  const username = asked.get('user') ?? '';
  const uid = asked.get('uid') ?? '';
  // Fetch joins what a client sent as several headers; names of groups with a comma cannot be told from two.
  const groups = listOf(asked.get('group') ?? '');
  const extra: Record<string, string[]> = {};
  for (const [name, value] of asked) {
    if (name.startsWith(EXTRA_PREFIX)) extra[unescapeKey(name.slice(EXTRA_PREFIX.length))] = listOf(value);
  }
  if (username !== '') return { username, groups, extra, ...(uid === '' ? {} : { uid }) };
  const others = [...groups, ...(uid === '' ? [] : [uid]), ...Object.values(extra).flat()];
  if (others.length === 0) return undefined;
  throw internalError(`requested [${others.join(' ')}] without impersonating a user`);
}

const listOf = (value: string): string[] =>
  value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

/** Kubernetes: keys may be percent-encoded, and stay as they are when that is wrong. */
function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch (error) {
    if (error instanceof URIError) return key;
    throw error;
  }
}

/** Each right that the caller needs, in the order in which upstream asks for them. */
export function impersonationRights(user: UserInfo, asked: Impersonation): Attributes[] {
  const right = (group: string, resource: string, name: string, more: Partial<Attributes> = {}): Attributes => ({
    user,
    verb: 'impersonate',
    isResource: true,
    group,
    resource,
    subresource: '',
    namespace: '',
    name,
    path: '',
    ...more,
  });
  const [, namespace = '', account = ''] = SERVICE_ACCOUNT.exec(asked.username) ?? [];
  const extras = Object.entries(asked.extra).flatMap(([key, values]) =>
    values.map((value) => right('authentication.k8s.io', 'userextras', value, { subresource: key })),
  );
  return [
    account === '' ? right('', 'users', asked.username) : right('', 'serviceaccounts', account, { namespace }),
    ...asked.groups.map((group) => right('', 'groups', group)),
    ...extras,
    ...(asked.uid === undefined ? [] : [right('authentication.k8s.io', 'uids', asked.uid)]),
  ];
}

/** @throws StatusError 403 for the first right that is missing. */
export function impersonate(user: UserInfo, asked: Impersonation, store: Store): UserInfo {
  for (const attributes of impersonationRights(user, asked)) {
    const { allowed, reason } = authorize(attributes, store);
    if (!allowed) throw forbiddenError(attributes, reason);
  }
  return impersonatedUser(asked);
}

/** Groups that nobody asked for are those that the user would have anyhow. */
export function impersonatedUser({ username, uid, groups, extra }: Impersonation): UserInfo {
  const [, namespace = ''] = SERVICE_ACCOUNT.exec(username) ?? [];
  const named =
    groups.length === 0 && namespace !== ''
      ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
      : [...groups];
  if (!named.includes(AUTHENTICATED) && !named.includes(UNAUTHENTICATED)) {
    named.push(username === 'system:anonymous' ? UNAUTHENTICATED : AUTHENTICATED);
  }
  return {
    username,
    ...(uid === undefined ? {} : { uid }),
    groups: named,
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
