import { describe, expect, test } from 'vitest';
import type { AuditRule } from '../../shared/api/audit.ts';
import { type AuditedRequest, auditConfigFor, auditPolicyOf } from '../../shared/audit-policy.ts';

const policyOf = (rules: unknown, more: object = {}) =>
  auditPolicyOf({ kind: 'Policy', apiVersion: 'audit.k8s.io/v1', rules, ...more });

describe('an audit policy', () => {
  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'policy: must be an object'],
    [
      'another kind',
      { kind: 'Pod', apiVersion: 'audit.k8s.io/v1', rules: [{ level: 'None' }] },
      'kind: Unsupported value: "Pod"',
    ],
    [
      'an old version',
      { kind: 'Policy', apiVersion: 'audit.k8s.io/v1beta1', rules: [{ level: 'None' }] },
      'apiVersion: Unsupported value',
    ],
    ['no rules', { kind: 'Policy', apiVersion: 'audit.k8s.io/v1', rules: [] }, 'loaded illegal policy with 0 rules'],
  ])('is not %s', (_, value, message) => {
    expect(() => auditPolicyOf(value)).toThrow(message);
  });

  test.each<[unknown, string]>([
    [[{}], 'rules[0].level: Required value'],
    [[{ level: 'All' }], 'rules[0].level: Unsupported value: "All": supported values: "None", "Metadata"'],
    [[{ level: 'None', user: ['a'] }], 'unknown field "rules[0].user"'],
    [[{ level: 'None', users: 'a' }], 'rules[0].users: must be a list'],
    [[{ level: 'None', omitStages: ['Later'] }], 'rules[0].omitStages[0]: Unsupported value: "Later"'],
    [[{ level: 'None', nonResourceURLs: ['api'] }], "rules must begin with a '/' character"],
    [[{ level: 'None', nonResourceURLs: ['/a*/b'] }], "wildcards '*' must be the final character"],
    [
      [{ level: 'None', nonResourceURLs: ['/a'], namespaces: ['b'] }],
      'cannot apply to both regular resources and non-resource URLs',
    ],
    [[{ level: 'None', resources: [{ group: 'Apps/v1' }] }], 'rules[0].resources[0].group: Invalid value: "Apps/v1"'],
    [[{ level: 'None', resources: [{ resourceNames: ['a'] }] }], 'using resourceNames requires at least one resource'],
  ])('with the rules %j says why it cannot be', (rules, message) => {
    expect(() => policyOf(rules)).toThrow(message);
  });

  test('names every problem at once', () => {
    expect(() => policyOf([{}, { level: 'Some' }])).toThrow(/rules\[0\]\.level.*; rules\[1\]\.level/);
  });
});

const request = (more: Partial<AuditedRequest> = {}): AuditedRequest => ({
  user: { username: 'ada', groups: ['devs', 'system:authenticated'] },
  verb: 'get',
  isResource: true,
  path: '/api/v1/namespaces/shop/pods/web',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: 'web',
  ...more,
});
const page: Partial<AuditedRequest> = {
  isResource: false,
  path: '/healthz/etcd',
  resource: '',
  namespace: '',
  name: '',
};

describe('a rule', () => {
  test.each<[Omit<AuditRule, 'level'>, Partial<AuditedRequest>, boolean]>([
    [{}, {}, true],
    [{}, page, true],
    [{ users: ['ada'] }, {}, true],
    [{ users: ['bob'] }, {}, false],
    [{ users: ['ada'] }, { user: undefined }, false],
    [{ userGroups: ['ops', 'devs'] }, {}, true],
    [{ userGroups: ['ops'] }, {}, false],
    [{ userGroups: ['ops'] }, { user: undefined }, false],
    [{ verbs: ['list', 'get'] }, {}, true],
    [{ verbs: ['list'] }, {}, false],
    [{ namespaces: ['shop'] }, {}, true],
    [{ namespaces: ['other'] }, {}, false],
    [{ namespaces: [''] }, { namespace: '' }, true],
    [{ namespaces: ['shop'] }, page, false],
    [{ resources: [{ group: '' }] }, {}, true],
    [{ resources: [{ group: 'apps' }] }, {}, false],
    [{ resources: [{ group: '*' }] }, { group: 'apps' }, true],
    [{ resources: [{ resources: ['pods'] }] }, {}, true],
    [{ resources: [{ resources: ['pods'] }] }, { subresource: 'log' }, false],
    [{ resources: [{ resources: ['pods/log'] }] }, { subresource: 'log' }, true],
    [{ resources: [{ resources: ['pods/*'] }] }, { subresource: 'log' }, true],
    [{ resources: [{ resources: ['pods/*'] }] }, {}, true],
    [{ resources: [{ resources: ['*/log'] }] }, { subresource: 'log' }, true],
    [{ resources: [{ resources: ['*/log'] }] }, {}, false],
    [{ resources: [{ resources: ['*'] }] }, { subresource: 'log' }, true],
    [{ resources: [{ resources: ['pods'], resourceNames: ['web'] }] }, {}, true],
    [{ resources: [{ resources: ['pods'], resourceNames: ['db'] }] }, {}, false],
    [{ nonResourceURLs: ['/healthz*'] }, page, true],
    [{ nonResourceURLs: ['*'] }, page, true],
    [{ nonResourceURLs: ['/healthz'] }, page, false],
    [{ nonResourceURLs: ['*'] }, {}, false],
  ])('%j matches %j: %s', (rule, asked, matches) => {
    const policy = policyOf([{ level: 'Request', ...rule }]);
    expect(auditConfigFor(policy, request(asked)).level).toBe(matches ? 'Request' : 'None');
  });

  test('is the first that matches; stages are left out by policy and rule together', () => {
    const rules = [
      { level: 'None', users: ['bob'] },
      { level: 'Metadata', omitStages: ['ResponseStarted'], omitManagedFields: false },
      { level: 'RequestResponse' },
    ];
    const policy = policyOf(rules, { omitStages: ['RequestReceived'], omitManagedFields: true });
    const { level, omitStages, omitManagedFields } = auditConfigFor(policy, request());
    expect([level, [...omitStages].sort(), omitManagedFields]).toEqual([
      'Metadata',
      ['RequestReceived', 'ResponseStarted'],
      false,
    ]);
    const none = auditConfigFor(policyOf([{ level: 'Metadata', users: ['x'] }]), request());
    expect([none.level, none.omitManagedFields]).toEqual(['None', false]);
  });
});
