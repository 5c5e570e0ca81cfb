import { expect, test } from 'vitest';
import { impersonatedUser, impersonationOf, impersonationRights } from '../../../worker/http/impersonation.ts';

const ANN = { username: 'ann', groups: ['system:authenticated'] };
const asked = (headers: Record<string, string>) => {
  const found = impersonationOf(new Headers(headers));
  if (found === undefined) throw new Error('nobody is impersonated');
  return found;
};

test('the headers name a user, groups, a uid and extra values', () => {
  const impersonation = asked({
    'Impersonate-User': 'bob',
    'Impersonate-Group': 'devs, ops',
    'Impersonate-Uid': '7',
    'Impersonate-Extra-Scopes': 'view',
    'Impersonate-Extra-example.com%2fproject': 'a, b',
  });
  expect(impersonation).toEqual({
    username: 'bob',
    uid: '7',
    groups: ['devs', 'ops'],
    extra: { scopes: ['view'], 'example.com/project': ['a', 'b'] },
  });
  const rights = impersonationRights(ANN, impersonation);
  expect(rights.map(({ group, resource, subresource, name }) => [group, resource, subresource, name])).toEqual([
    ['', 'users', '', 'bob'],
    ['', 'groups', '', 'devs'],
    ['', 'groups', '', 'ops'],
    ['authentication.k8s.io', 'userextras', 'example.com/project', 'a'],
    ['authentication.k8s.io', 'userextras', 'example.com/project', 'b'],
    ['authentication.k8s.io', 'userextras', 'scopes', 'view'],
    ['authentication.k8s.io', 'uids', '', '7'],
  ]);
});

test.each<[string, Record<string, string>, string[]]>([
  ['a user is authenticated', { 'Impersonate-User': 'bob' }, ['system:authenticated']],
  ['groups are kept', { 'Impersonate-User': 'bob', 'Impersonate-Group': 'a' }, ['a', 'system:authenticated']],
  ['anonymous is not authenticated', { 'Impersonate-User': 'system:anonymous' }, ['system:unauthenticated']],
  [
    'a service account is in its groups',
    { 'Impersonate-User': 'system:serviceaccount:default:robot' },
    ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  ],
])('%s', (_what, headers, groups) => {
  expect(impersonatedUser(asked(headers)).groups).toEqual(groups);
});

test('a service account is a right of its namespace', () => {
  const [right] = impersonationRights(ANN, asked({ 'Impersonate-User': 'system:serviceaccount:default:robot' }));
  expect(right).toMatchObject({ resource: 'serviceaccounts', namespace: 'default', name: 'robot' });
});

test('a part without a user is refused, and no header is nobody', () => {
  expect(() => impersonationOf(new Headers({ 'Impersonate-Group': 'a' }))).toThrow('without impersonating a user');
  expect(impersonationOf(new Headers())).toBeUndefined();
});
