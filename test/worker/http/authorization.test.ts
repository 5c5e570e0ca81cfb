import { describe, expect, test } from 'vitest';
import { PODS } from '../../../shared/api/core.ts';
import { attributesOf, authorize, forbiddenError } from '../../../worker/http/authorization.ts';
import { parseRequestInfo } from '../../../worker/http/request-info.ts';
import { ANONYMOUS, type UserInfo } from '../../../worker/users.ts';
import { testCluster } from '../../support/cluster.ts';

const user = (username: string, ...groups: string[]): UserInfo => ({
  username,
  groups: [...groups, 'system:authenticated'],
});
const ADMIN = user('admin', 'system:masters');
const MINION = user('system:node:m1', 'system:nodes');
const JOINER = user('system:bootstrap:abc', 'system:bootstrappers');
const ROBOT = user('system:serviceaccount:default:robot', 'system:serviceaccounts');

const cluster = testCluster();
cluster.do((objects) => {
  const pod = (name: string, nodeName: string) =>
    objects.create(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: {
        nodeName,
        containers: [{ name: 'main', image: 'nginx' }],
        volumes: [{ name: 's', secret: { secretName: `${name}-secret` } }],
      },
    });
  pod('mine', 'm1');
  pod('theirs', 'm2');
});

const may = (who: UserInfo, method: string, path: string) =>
  authorize(attributesOf(who, parseRequestInfo(method, path, '')), cluster.plane.store).allowed;

const NAMESPACE = '/api/v1/namespaces/default';

describe.each<[string, UserInfo, [method: string, path: string][], [method: string, path: string][]]>([
  [
    'an admin',
    ADMIN,
    [
      ['DELETE', `${NAMESPACE}/secrets`],
      ['GET', '/metrics'],
      ['POST', '/v3/kv/put'],
    ],
    [],
  ],
  [
    'anonymous',
    ANONYMOUS,
    [
      ['GET', '/healthz'],
      ['GET', '/version'],
    ],
    [
      ['GET', '/api'],
      ['GET', `${NAMESPACE}/pods`],
      ['POST', '/healthz'],
    ],
  ],
  [
    'a minion',
    MINION,
    [
      ['GET', '/api/v1/pods'],
      ['GET', '/api/v1/services'],
      ['GET', '/apis/discovery.k8s.io/v1/endpointslices'],
      ['POST', '/api/v1/nodes'],
      ['PATCH', '/api/v1/nodes/m1/status'],
      ['PATCH', `${NAMESPACE}/pods/mine/status`],
      ['DELETE', `${NAMESPACE}/pods/mine`],
      ['GET', `${NAMESPACE}/secrets/mine-secret`],
      ['POST', `${NAMESPACE}/events`],
      ['PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/m1'],
      ['GET', '/longshore/link'],
      ['GET', '/longshore/data'],
    ],
    [
      ['PATCH', '/api/v1/nodes/m2/status'],
      ['DELETE', '/api/v1/nodes/m1'],
      ['PATCH', `${NAMESPACE}/pods/theirs/status`],
      ['PATCH', `${NAMESPACE}/pods/mine`],
      ['DELETE', `${NAMESPACE}/pods/theirs`],
      ['GET', `${NAMESPACE}/secrets/theirs-secret`],
      ['GET', `${NAMESPACE}/secrets`],
      ['POST', `${NAMESPACE}/pods/mine/exec`],
      ['POST', `${NAMESPACE}/pods/mine/binding`],
      ['PUT', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/m2'],
      ['POST', '/apis/apps/v1/namespaces/default/deployments'],
      ['POST', '/v3/kv/range'],
      ['POST', '/longshore/join'],
    ],
  ],
  [
    'a join token',
    JOINER,
    [
      ['POST', '/longshore/join'],
      ['GET', '/api'],
    ],
    [
      ['GET', '/longshore/join'],
      ['GET', '/longshore/link'],
      ['GET', '/api/v1/nodes'],
      ['POST', '/api/v1/nodes'],
    ],
  ],
  [
    'a service account',
    ROBOT,
    [
      ['GET', '/apis'],
      ['GET', '/openapi/v3'],
      ['POST', '/v3/kv/range'],
      ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
    ],
    [
      ['GET', `${NAMESPACE}/pods`],
      ['GET', '/metrics'],
      ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews'],
    ],
  ],
])('%s', (_what, who, allowed, refused) => {
  test.each(allowed)('may %s %s', (method, path) => {
    expect(may(who, method, path)).toBe(true);
  });
  test.each(refused)('may not %s %s', (method, path) => {
    expect(may(who, method, path)).toBe(false);
  });
});

test.each([
  [
    'GET',
    '/api/v1/nodes/m1',
    'nodes "m1" is forbidden: User "system:anonymous" cannot get resource "nodes" in API group "" at the cluster scope',
  ],
  [
    'GET',
    '/apis/apps/v1/namespaces/a/deployments',
    'deployments.apps is forbidden: User "system:anonymous" cannot list resource "deployments" in API group "apps" in the namespace "a"',
  ],
  [
    'PUT',
    '/api/v1/namespaces/a/pods/b/status',
    'pods "b" is forbidden: User "system:anonymous" cannot update resource "pods/status" in API group "" in the namespace "a"',
  ],
  ['GET', '/metrics', 'forbidden: User "system:anonymous" cannot get path "/metrics"'],
])('refuses %s %s in RBAC’s words', (method, path, message) => {
  expect(forbiddenError(attributesOf(ANONYMOUS, parseRequestInfo(method, path, ''))).message).toBe(message);
});
