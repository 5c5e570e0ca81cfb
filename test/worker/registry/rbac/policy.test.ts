import { describe, expect, test } from 'vitest';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  type ClusterRole,
  type PolicyRule,
  RBAC_GROUP,
  ROLE_BINDINGS,
  type RoleRef,
  type Subject,
} from '../../../../shared/api/rbac.ts';
import { create } from '../../../../worker/registry/create.ts';
import { policyOf } from '../../../../worker/registry/rbac/policy.ts';
import { type AccessRequest, describeRules, ruleAllows, uncovered } from '../../../../worker/registry/rbac/rules.ts';
import { update } from '../../../../worker/registry/update.ts';
import type { UserInfo } from '../../../../worker/users.ts';
import { type TestCluster, testCluster } from '../../../support/cluster.ts';

const API_VERSION = `${RBAC_GROUP}/v1`;
const user = (username: string, ...groups: string[]): UserInfo => ({ username, groups });
const asked = (verb: string, path: string, more: Partial<AccessRequest> = {}): AccessRequest => {
  if (path.startsWith('/')) {
    return { verb, isResource: false, group: '', resource: '', subresource: '', namespace: '', name: '', path };
  }
  const [resource = '', subresource = ''] = path.split('/');
  return {
    verb,
    isResource: true,
    group: '',
    resource,
    subresource,
    namespace: 'default',
    name: '',
    path: '',
    ...more,
  };
};

describe('a rule', () => {
  const rule = (resources: string[], more: Partial<PolicyRule> = {}): PolicyRule => ({
    verbs: ['get'],
    apiGroups: [''],
    resources,
    ...more,
  });
  test.each<[string, PolicyRule, AccessRequest, boolean]>([
    ['its resource', rule(['pods']), asked('get', 'pods'), true],
    ['no subresource of it', rule(['pods']), asked('get', 'pods/log'), false],
    ['a subresource that it names', rule(['pods/log']), asked('get', 'pods/log'), true],
    ['nothing but the subresource', rule(['pods/log']), asked('get', 'pods'), false],
    ['a subresource of everything', rule(['*/scale']), asked('get', 'deployments/scale'), true],
    ['no other subresource', rule(['*/scale']), asked('get', 'deployments/status'), false],
    ['everything with *', rule(['*']), asked('get', 'pods/log'), true],
    // Kubernetes: there is no such wildcard.
    ['nothing with pods/*', rule(['pods/*']), asked('get', 'pods/log'), false],
    ['nothing with */*', rule(['*/*']), asked('get', 'pods/log'), false],
    ['no other verb', rule(['pods']), asked('list', 'pods'), false],
    ['no other group', rule(['pods'], { apiGroups: ['apps'] }), asked('get', 'pods'), false],
    ['every group with *', rule(['pods'], { apiGroups: ['*'] }), asked('get', 'pods', { group: 'x' }), true],
    ['a name of its list', rule(['pods'], { resourceNames: ['a'] }), asked('get', 'pods', { name: 'a' }), true],
    ['no other name', rule(['pods'], { resourceNames: ['a'] }), asked('get', 'pods', { name: 'b' }), false],
    ['no collection by names', rule(['pods'], { resourceNames: ['a'] }), asked('get', 'pods'), false],
    ['a URL', { verbs: ['get'], nonResourceURLs: ['/a'] }, asked('get', '/a'), true],
    ['nothing below a URL', { verbs: ['get'], nonResourceURLs: ['/a'] }, asked('get', '/a/b'), false],
    ['what a trailing * reaches', { verbs: ['get'], nonResourceURLs: ['/a/*'] }, asked('get', '/a/b/c'), true],
    ['no * within', { verbs: ['get'], nonResourceURLs: ['/a/*/c'] }, asked('get', '/a/b/c'), false],
  ])('allows %s', (_what, given, question, allowed) => {
    expect(ruleAllows(given, question)).toBe(allowed);
  });
});

test('what rules do not cover is named verb by verb, and joined again in words', () => {
  const held: PolicyRule[] = [
    { verbs: ['get'], apiGroups: ['*'], resources: ['pods', '*/scale'] },
    { verbs: ['get'], nonResourceURLs: ['/api/*'] },
  ];
  const wanted: PolicyRule[] = [
    { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods'] },
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments/scale', 'deployments/status'] },
    { verbs: ['get'], nonResourceURLs: ['/api/v1', '/metrics'] },
    { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] },
  ];
  expect(describeRules(uncovered(held, wanted))).toEqual([
    '{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}',
    '{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get"]}',
    '{APIGroups:["apps"], Resources:["deployments/status"], Verbs:["get"]}',
    '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
  ]);
});

const clusterRole = (cluster: TestCluster, name: string, rules: PolicyRule[], labels?: Record<string, string>) =>
  cluster.do((objects) =>
    objects.create(CLUSTER_ROLES, {
      apiVersion: API_VERSION,
      kind: 'ClusterRole',
      metadata: { name, ...(labels ? { labels } : {}) },
      rules,
    }),
  );
const to = (name: string): Subject => ({ kind: 'User', apiGroup: RBAC_GROUP, name });
const refTo = (name: string, kind: RoleRef['kind'] = 'ClusterRole'): RoleRef => ({ apiGroup: RBAC_GROUP, kind, name });
const bindCluster = (cluster: TestCluster, name: string, roleRef: RoleRef, subjects: Subject[]) =>
  cluster.do((objects) =>
    objects.create(CLUSTER_ROLE_BINDINGS, {
      apiVersion: API_VERSION,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      subjects,
      roleRef,
    }),
  );
const bindIn = (cluster: TestCluster, namespace: string, name: string, roleRef: RoleRef, subjects: Subject[]) =>
  cluster.do((objects) =>
    objects.create(ROLE_BINDINGS, {
      apiVersion: API_VERSION,
      kind: 'RoleBinding',
      metadata: { name, namespace },
      subjects,
      roleRef,
    }),
  );
const READ_PODS: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };

describe('the policy', () => {
  test('says by which binding of which role to whom', () => {
    const cluster = testCluster();
    clusterRole(cluster, 'reader', [READ_PODS]);
    bindCluster(cluster, 'all', refTo('reader'), [{ kind: 'Group', apiGroup: RBAC_GROUP, name: 'devs' }]);
    bindIn(cluster, 'default', 'here', refTo('reader'), [{ kind: 'ServiceAccount', name: 'robot' }]);
    const reason = (who: UserInfo) => policyOf(cluster.plane.store).decide(who, asked('get', 'pods')).reason;
    expect(reason(user('ann', 'devs'))).toBe(
      'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "reader" to Group "devs"',
    );
    expect(reason(user('system:serviceaccount:default:robot'))).toBe(
      'RBAC: allowed by RoleBinding "here/default" of ClusterRole "reader" to ServiceAccount "robot/default"',
    );
    expect(reason(user('bob'))).toBe('');
  });

  test('a binding to a role that is not there gives nothing, and says so', () => {
    const cluster = testCluster();
    bindCluster(cluster, 'one', refTo('none'), [to('ann')]);
    bindIn(cluster, 'default', 'two', refTo('nothing', 'Role'), [to('ann')]);
    expect(policyOf(cluster.plane.store).decide(user('ann'), asked('get', 'pods'))).toEqual({
      allowed: false,
      reason:
        'RBAC: [clusterrole.rbac.authorization.k8s.io "none" not found, role.rbac.authorization.k8s.io "nothing" not found]',
    });
  });

  test('follows every committed change at once, and nothing that was rolled back', () => {
    const cluster = testCluster();
    const may = () => policyOf(cluster.plane.store).decide(user('ann'), asked('get', 'pods')).allowed;
    expect(may()).toBe(false);
    const role = clusterRole(cluster, 'reader', [READ_PODS]);
    expect(may()).toBe(false);
    bindCluster(cluster, 'b', refTo('reader'), [to('ann')]);
    expect(may()).toBe(true);
    expect(() =>
      cluster.do((objects) => {
        objects.delete(CLUSTER_ROLE_BINDINGS, '', 'b');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(may()).toBe(true);
    cluster.do((objects) => objects.update(CLUSTER_ROLES, { ...role, rules: [] }));
    expect(may()).toBe(false);
    cluster.do((objects) => objects.delete(CLUSTER_ROLES, '', 'reader'));
    clusterRole(cluster, 'reader', [READ_PODS]);
    expect(may()).toBe(true);
  });

  test('is kept while nothing about roles changes', () => {
    const cluster = testCluster();
    const before = policyOf(cluster.plane.store);
    cluster.do((objects) =>
      objects.create(
        { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } },
      ),
    );
    expect(policyOf(cluster.plane.store)).toBe(before);
  });
});

describe('the default roles', () => {
  const cluster = testCluster();
  const may = (who: UserInfo, verb: string, path: string, more: Partial<AccessRequest> = {}) =>
    policyOf(cluster.plane.store).decide(who, asked(verb, path, more)).allowed;
  test('let view read, edit write, admin give rights, none of the first two secrets to view or roles to edit', () => {
    for (const name of ['view', 'edit', 'admin']) bindIn(cluster, 'default', name, refTo(name), [to(name)]);
    const view = cluster.stored<ClusterRole>('clusterroles.rbac.authorization.k8s.io', '', 'view');
    expect(view?.rules?.length).toBeGreaterThan(5);
    expect(may(user('view'), 'list', 'pods')).toBe(true);
    expect(may(user('view'), 'get', 'secrets')).toBe(false);
    expect(may(user('view'), 'create', 'pods')).toBe(false);
    expect(may(user('view'), 'list', 'pods', { namespace: 'kube-system' })).toBe(false);
    expect(may(user('edit'), 'get', 'secrets')).toBe(true);
    expect(may(user('edit'), 'create', 'pods/exec')).toBe(true);
    expect(may(user('edit'), 'update', 'hooks', { group: 'longshore.dev' })).toBe(true);
    expect(may(user('edit'), 'create', 'rolebindings', { group: RBAC_GROUP })).toBe(false);
    expect(may(user('admin'), 'create', 'rolebindings', { group: RBAC_GROUP })).toBe(true);
    expect(may(user('admin'), 'list', 'pods')).toBe(true);
    expect(may(user('admin'), 'list', 'nodes')).toBe(false);
  });

  test('grow with a role that aggregates to them, and shrink when it goes', () => {
    const crons = { group: 'stable.example.com' };
    expect(may(user('admin'), 'get', 'crontabs', crons)).toBe(false);
    const rule = { verbs: ['get'], apiGroups: ['stable.example.com'], resources: ['crontabs'] };
    clusterRole(cluster, 'crontabs', [rule], { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' });
    for (const name of ['view', 'edit', 'admin']) expect(may(user(name), 'get', 'crontabs', crons)).toBe(true);
    cluster.do((objects) => objects.delete(CLUSTER_ROLES, '', 'crontabs'));
    for (const name of ['view', 'edit', 'admin']) expect(may(user(name), 'get', 'crontabs', crons)).toBe(false);
  });

  test('come to a cluster that was made before there were any', () => {
    const old = testCluster();
    old.do((objects) => {
      for (const role of objects.list(CLUSTER_ROLES)) objects.delete(CLUSTER_ROLES, '', role.metadata.name);
      for (const each of objects.list(CLUSTER_ROLE_BINDINGS)) {
        objects.delete(CLUSTER_ROLE_BINDINGS, '', each.metadata.name);
      }
    });
    old.plane.bootstrap();
    const robot = user('system:serviceaccount:default:robot', 'system:serviceaccounts');
    expect(policyOf(old.plane.store).decide(robot, asked('post', '/v3/kv/range')).allowed).toBe(true);
    const { revision } = old.plane.store;
    old.plane.bootstrap();
    expect(old.plane.store.revision).toBe(revision);
  });
});

describe('escalation', () => {
  function world() {
    const cluster = testCluster();
    clusterRole(cluster, 'granter', [
      { verbs: ['*'], apiGroups: [RBAC_GROUP], resources: ['roles', 'rolebindings', 'clusterroles'] },
      READ_PODS,
    ]);
    bindCluster(cluster, 'granter', refTo('granter'), [to('ann')]);
    clusterRole(cluster, 'secrets', [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets'] }]);
    return cluster;
  }
  const ann = user('ann', 'devs', 'system:authenticated');
  const write = (cluster: TestCluster, resource: string, body: object, who = ann) => {
    const namespace = resource.startsWith('cluster') ? '' : 'default';
    const definition = cluster.definition(`${resource}.${RBAC_GROUP}`);
    const draft = { apiVersion: API_VERSION, kind: definition.identity.kind, metadata: { name: 'x' }, ...body };
    return cluster.as(who, (session) => create(session, definition, namespace, draft).object);
  };

  test('writing a role takes its rules, and the refusal lists what is missing as upstream does', () => {
    const cluster = world();
    const rules = [{ verbs: ['get', 'list', 'delete'], apiGroups: [''], resources: ['pods', 'secrets'] }];
    // `escalate` is among the verbs of `*`.
    expect(write(cluster, 'roles', { rules }).metadata.name).toBe('x');
    clusterRole(cluster, 'plain', [
      { verbs: ['create', 'update'], apiGroups: [RBAC_GROUP], resources: ['roles', 'clusterroles', 'rolebindings'] },
      READ_PODS,
    ]);
    bindCluster(cluster, 'plain', refTo('plain'), [to('bob')]);
    const bob = user('bob', 'devs', 'system:authenticated');
    expect(() => write(cluster, 'roles', { metadata: { name: 'y' }, rules }, bob)).toThrow(
      [
        'roles.rbac.authorization.k8s.io "y" is forbidden: user "bob" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:',
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "delete"]}',
      ].join('\n'),
    );
    expect(write(cluster, 'roles', { metadata: { name: 'y' }, rules: [READ_PODS] }, bob).metadata.name).toBe('y');
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
    expect(() => write(cluster, 'clusterroles', { metadata: { name: 'z' }, aggregationRule }, bob)).toThrow(
      'clusterroles.rbac.authorization.k8s.io "z" is forbidden: must have cluster-admin privileges to use the aggregationRule',
    );
  });

  test('binding a role takes its rules or the verb bind; a role that is not there cannot be bound', () => {
    const cluster = testCluster();
    clusterRole(cluster, 'secrets', [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]);
    clusterRole(cluster, 'binder', [{ verbs: ['create'], apiGroups: [RBAC_GROUP], resources: ['rolebindings'] }]);
    bindCluster(cluster, 'binder', refTo('binder'), [to('ann')]);
    const subjects = [to('eve')];
    expect(() => write(cluster, 'rolebindings', { roleRef: refTo('secrets'), subjects })).toThrow(
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    );
    expect(() => write(cluster, 'rolebindings', { roleRef: refTo('none'), subjects })).toThrow(
      'clusterroles.rbac.authorization.k8s.io "none" not found',
    );
    clusterRole(cluster, 'may-bind', [
      { verbs: ['bind'], apiGroups: [RBAC_GROUP], resources: ['clusterroles'], resourceNames: ['secrets'] },
    ]);
    bindCluster(cluster, 'may-bind', refTo('may-bind'), [to('ann')]);
    expect(write(cluster, 'rolebindings', { roleRef: refTo('secrets'), subjects }).metadata.name).toBe('x');
  });

  test('a roleRef never changes, and subjects get their group', () => {
    const cluster = world();
    const made = write(cluster, 'rolebindings', {
      roleRef: { kind: 'ClusterRole', name: 'granter' },
      subjects: [
        { kind: 'User', name: 'eve' },
        { kind: 'ServiceAccount', name: 'a' },
      ],
    });
    expect(made).toMatchObject({
      roleRef: { apiGroup: RBAC_GROUP },
      subjects: [{ apiGroup: RBAC_GROUP }, { kind: 'ServiceAccount' }],
    });
    const definition = cluster.definition(`rolebindings.${RBAC_GROUP}`);
    const changed = { ...made, roleRef: refTo('secrets') };
    const masters = user('root', 'system:masters');
    expect(() =>
      cluster.as(masters, (session) => update(session, definition, 'default', 'x', structuredClone(changed)).object),
    ).toThrow(/roleRef: Invalid value: .*: cannot change roleRef/);
  });
});
