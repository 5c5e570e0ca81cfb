/**
 * Bootstrap tokens, `ID.SECRET`: kept as Secrets in kube-system, so only the Cluster object can judge them. The Worker asks
 * it for well-formed ones alone, and no more often than `mayAsk` lets it.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
 */
import type { Secret } from '../../shared/api/core.ts';
import { parseTime } from '../../shared/time.ts';
import type { Reader } from '../store/store.ts';
import type { UserInfo } from '../users.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const SECRET_TYPE = 'bootstrap.kubernetes.io/token';
const GROUP = 'system:bootstrappers';
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export const isBootstrapToken = (token: string): boolean => TOKEN.test(token);

/** Undefined: no such token, it has ended, or it is not for authentication. */
export function bootstrapUser(reader: Reader, token: string, nowMs: number): UserInfo | undefined {
  const [, id = '', secret = ''] = TOKEN.exec(token) ?? [];
  if (id === '') return undefined;
  const stored = reader.get({ resource: 'secrets', namespace: 'kube-system', name: `bootstrap-token-${id}` });
  if (stored === undefined) return undefined;
  const { type, data = {}, metadata } = JSON.parse(stored.text) as Secret;
  const value = (key: string): string => {
    const encoded = data[key];
    return encoded === undefined ? '' : atob(encoded);
  };
  if (type !== SECRET_TYPE || metadata.deletionTimestamp !== undefined) return undefined;
  if (value('token-id') !== id || !isSame(value('token-secret'), secret)) return undefined;
  const expiration = value('expiration');
  if (expiration !== '' && !((parseTime(expiration) ?? 0) > nowMs)) return undefined;
  if (value('usage-bootstrap-authentication') !== 'true') return undefined;
  const extra = value('auth-extra-groups')
    .split(',')
    .filter((each) => each !== '');
  if (extra.some((each) => !EXTRA_GROUP.test(each))) return undefined;
  return { username: `system:bootstrap:${id}`, groups: [...extra.sort(), GROUP, 'system:authenticated'] };
}

/** Without telling by its time where they differ. */
function isSame(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let at = 0; at < other.length; at++) difference |= (one.charCodeAt(at) || 0) ^ other.charCodeAt(at);
  return difference === 0;
}

const REFUSALS = 10;
const PER_MS = 60_000;

/** Of one isolate: how many wrong guesses at one cluster still reach its object. */
export function createGuessLimit(): {
  mayAsk(cluster: string, nowMs: number): boolean;
  refused(cluster: string): void;
} {
  const windows = new Map<string, { startMs: number; refusals: number }>();
  return {
    mayAsk(cluster, nowMs) {
      const window = windows.get(cluster);
      if (window === undefined || nowMs - window.startMs >= PER_MS) {
        if (windows.size > 1000) windows.clear();
        windows.set(cluster, { startMs: nowMs, refusals: 0 });
        return true;
      }
      return window.refusals < REFUSALS;
    },
    refused(cluster) {
      const window = windows.get(cluster);
      if (window !== undefined) window.refusals += 1;
    },
  };
}
