/** RBAC against an evaluator written as plainly as the documentation reads: 100,000 questions, no difference. */
import { expect, test } from 'vitest';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  type PolicyRule,
  RBAC_GROUP,
  ROLE_BINDINGS,
  ROLES,
  type RoleRef,
  type Subject,
} from '../../../../shared/api/rbac.ts';
import { policyOf } from '../../../../worker/registry/rbac/policy.ts';
import type { AccessRequest } from '../../../../worker/registry/rbac/rules.ts';
import type { UserInfo } from '../../../../worker/users.ts';
import { type TestCluster, testCluster } from '../../../support/cluster.ts';
import { newSeed, type SeededRandom, seededRandom } from '../../../support/seeded-random.ts';

// ---- The oracle: no index, no cache, no shared code --------------------------------------------------------------------

interface Stored {
  metadata: { name: string; namespace?: string };
  rules?: PolicyRule[];
  subjects?: Subject[];
  roleRef?: RoleRef;
}

function all(cluster: TestCluster, resource: string): Stored[] {
  return [...cluster.plane.store.list({ resource: `${resource}.rbac.authorization.k8s.io` }).items].map(
    (each) => JSON.parse(each.text) as Stored,
  );
}

interface World {
  roles: Stored[];
  clusterRoles: Stored[];
  roleBindings: Stored[];
  clusterRoleBindings: Stored[];
}

function oracle(world: World, user: UserInfo, asked: AccessRequest): boolean {
  for (const binding of world.clusterRoleBindings) {
    for (const subject of binding.subjects ?? []) {
      if (!isSubject(user, subject, '')) continue;
      for (const role of world.clusterRoles) {
        if (role.metadata.name !== binding.roleRef?.name) continue;
        for (const rule of role.rules ?? []) if (permits(rule, asked)) return true;
      }
    }
  }
  if (!asked.isResource || asked.namespace === '') return false;
  for (const binding of world.roleBindings) {
    if (binding.metadata.namespace !== asked.namespace) continue;
    for (const subject of binding.subjects ?? []) {
      if (!isSubject(user, subject, asked.namespace)) continue;
      const isRole = binding.roleRef?.kind === 'Role';
      for (const role of isRole ? world.roles : world.clusterRoles) {
        if (role.metadata.name !== binding.roleRef?.name) continue;
        if (isRole && role.metadata.namespace !== asked.namespace) continue;
        for (const rule of role.rules ?? []) if (permits(rule, asked)) return true;
      }
    }
  }
  return false;
}

function isSubject(user: UserInfo, subject: Subject, bindingNamespace: string): boolean {
  if (subject.kind === 'User') return user.username === subject.name;
  if (subject.kind === 'Group') return user.groups.includes(subject.name);
  const namespace = subject.namespace ?? bindingNamespace;
  if (namespace === '') return false;
  return user.username === `system:serviceaccount:${namespace}:${subject.name}`;
}

function permits(rule: PolicyRule, asked: AccessRequest): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(asked.verb)) return false;
  if (!asked.isResource) {
    for (const url of rule.nonResourceURLs ?? []) {
      if (url === '*' || url === asked.path) return true;
      if (url.endsWith('*') && asked.path.startsWith(url.slice(0, -1))) return true;
    }
    return false;
  }
  const groups = rule.apiGroups ?? [];
  if (!groups.includes('*') && !groups.includes(asked.group)) return false;
  const names = rule.resourceNames ?? [];
  if (names.length > 0 && !names.includes(asked.name)) return false;
  const wanted = asked.subresource === '' ? asked.resource : `${asked.resource}/${asked.subresource}`;
  for (const resource of rule.resources ?? []) {
    if (resource === '*' || resource === wanted) return true;
    if (asked.subresource !== '' && resource === `*/${asked.subresource}`) return true;
  }
  return false;
}

// ---- Random worlds ----------------------------------------------------------------------------------------------------

const NAMESPACES = ['default', 'kube-system', 'kube-public'];
const VERBS = ['get', 'list', 'create', 'delete', 'impersonate'];
const GROUPS = ['', 'apps', 'batch'];
const RESOURCES = ['pods', 'secrets', 'deployments', 'nodes'];
const SUBRESOURCES = ['status', 'log', 'scale'];
const NAMES = ['a', 'b', 'c'];
const PATHS = ['/healthz', '/healthz/etcd', '/api', '/apis/apps', '/metrics', '/v3/kv/range', '/'];
const USERS = ['ann', 'bob', 'eve', 'system:serviceaccount:default:a', 'system:serviceaccount:kube-system:b'];
const USER_GROUPS = ['devs', 'ops', 'system:serviceaccounts', 'system:authenticated'];

const some = <T>(random: SeededRandom, from: readonly T[], most = 2): T[] =>
  Array.from({ length: 1 + random.below(most) }, () => random.pick(from));

function randomRule(random: SeededRandom, namespaced: boolean): PolicyRule {
  const verbs = some(random, [...VERBS, '*']);
  if (!namespaced && random.chance(0.25)) {
    return { verbs, nonResourceURLs: some(random, [...PATHS, '*', '/healthz/*', '/api*', '/v3/*']) };
  }
  const paths = RESOURCES.flatMap((resource) => SUBRESOURCES.map((each) => `${resource}/${each}`));
  const wild = ['*', ...SUBRESOURCES.map((each) => `*/${each}`), 'pods/*', '*/*'];
  return {
    verbs,
    apiGroups: some(random, [...GROUPS, '*']),
    resources: some(random, [...RESOURCES, ...paths, ...wild], 3),
    ...(random.chance(0.3) ? { resourceNames: some(random, NAMES) } : {}),
  };
}

function randomSubject(random: SeededRandom, namespaced: boolean): Subject {
  const kind = random.pick(['User', 'Group', 'ServiceAccount'] as const);
  if (kind === 'ServiceAccount') {
    const own = namespaced && random.chance(0.3);
    return { kind, name: random.pick(NAMES), ...(own ? {} : { namespace: random.pick(NAMESPACES) }) };
  }
  return { kind, apiGroup: RBAC_GROUP, name: random.pick(kind === 'User' ? USERS : USER_GROUPS) };
}

const ROLE_NAMES = ['r1', 'r2', 'r3', 'r4', 'gone'];

/** One write of a role or a binding; whatever was there is replaced. */
function change(cluster: TestCluster, random: SeededRandom): void {
  const namespaced = random.chance(0.5);
  const apiVersion = `${RBAC_GROUP}/v1`;
  const namespace = random.pick(NAMESPACES);
  const scope = namespaced ? namespace : '';
  const within = namespaced ? { namespace } : {};
  cluster.do((objects) => {
    if (random.chance(0.5)) {
      const identity = namespaced ? ROLES : CLUSTER_ROLES;
      const name = random.pick(ROLE_NAMES.slice(0, 4));
      objects.delete(identity, scope, name);
      if (random.chance(0.1)) return;
      const rules = some(random, [0], 3).map(() => randomRule(random, namespaced));
      objects.create(identity, { apiVersion, kind: identity.kind, metadata: { name, ...within }, rules });
      return;
    }
    const identity = namespaced ? ROLE_BINDINGS : CLUSTER_ROLE_BINDINGS;
    const name = `b${random.below(6)}`;
    objects.delete(identity, scope, name);
    if (random.chance(0.1)) return;
    const kind = namespaced ? random.pick(['Role', 'ClusterRole'] as const) : 'ClusterRole';
    objects.create(identity, {
      apiVersion,
      kind: identity.kind,
      metadata: { name, ...within },
      subjects: some(random, [0], 3).map(() => randomSubject(random, namespaced)),
      roleRef: { apiGroup: RBAC_GROUP, kind, name: random.pick(ROLE_NAMES) },
    });
  });
}

function randomQuestion(random: SeededRandom): { user: UserInfo; asked: AccessRequest } {
  const groups = USER_GROUPS.filter(() => random.chance(0.3));
  const user = { username: random.pick([...USERS, 'nobody']), groups };
  const nothing = { group: '', resource: '', subresource: '', namespace: '', name: '', path: '' };
  const verb = random.pick([...VERBS, 'watch']);
  if (random.chance(0.15)) return { user, asked: { ...nothing, verb, isResource: false, path: random.pick(PATHS) } };
  const asked = {
    ...nothing,
    verb,
    isResource: true,
    group: random.pick(GROUPS),
    resource: random.pick([...RESOURCES, 'crontabs']),
    subresource: random.chance(0.3) ? random.pick(SUBRESOURCES) : '',
    namespace: random.chance(0.7) ? random.pick(NAMESPACES) : '',
    name: random.chance(0.6) ? random.pick([...NAMES, 'd']) : '',
  };
  return { user, asked };
}

const QUESTIONS = 100_000;
const PER_WORLD = 250;

test('the compiled policy and a plain evaluator agree on 100,000 questions, over changes between them', () => {
  const seed = newSeed(process.env);
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const cluster = testCluster();
  for (let step = 0; step < 60; step++) change(cluster, random);
  let allowed = 0;
  for (let done = 0; done < QUESTIONS; done += PER_WORLD) {
    // One write at a time, so that a policy which is kept too long shows.
    change(cluster, random);
    const world: World = {
      roles: all(cluster, 'roles'),
      clusterRoles: all(cluster, 'clusterroles'),
      roleBindings: all(cluster, 'rolebindings'),
      clusterRoleBindings: all(cluster, 'clusterrolebindings'),
    };
    for (let each = 0; each < PER_WORLD; each++) {
      const { user, asked } = randomQuestion(random);
      const expected = oracle(world, user, asked);
      const decision = policyOf(cluster.plane.store).decide(user, asked);
      if (decision.allowed !== expected) {
        throw new Error(
          `seed ${seed}: expected ${expected}, got ${JSON.stringify([decision, user, asked, world.clusterRoleBindings])}`,
        );
      }
      if (expected) allowed += 1;
    }
  }
  // Worlds in which nothing, or everything, is allowed would show nothing. Of a hundred seeds, 0.045 to 0.13 were allowed.
  expect(allowed).toBeGreaterThan(1_000);
  expect(QUESTIONS - allowed).toBeGreaterThan(1_000);
}, 300_000);
