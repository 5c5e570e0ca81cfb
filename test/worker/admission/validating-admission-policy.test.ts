import { describe, expect, test } from 'vitest';
import {
  VALIDATING_ADMISSION_POLICIES,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
  type ValidatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
} from '../../../shared/api/admissionregistration.ts';
import { DEPLOYMENTS } from '../../../shared/api/apps.ts';
import { CONFIG_MAPS } from '../../../shared/api/core.ts';
import type { Draft } from '../../../shared/api/meta.ts';
import { StatusError } from '../../../shared/errors.ts';
import { create } from '../../../worker/registry/create.ts';
import { deleteObject } from '../../../worker/registry/delete.ts';
import type { UserInfo } from '../../../worker/users.ts';
import { type TestCluster, testCluster } from '../../support/cluster.ts';

const ANA: UserInfo = { username: 'ana', groups: ['people'] };
const RULES = { configmaps: ['', 'v1', 'configmaps'], deployments: ['apps', 'v1', 'deployments'] } as const;

type Spec = ValidatingAdmissionPolicy['spec'];

function policy(cluster: TestCluster, spec: Spec, binding: ValidatingAdmissionPolicyBinding['spec'] = {}): void {
  const [group, version, resource] = RULES.configmaps;
  cluster.do((objects) => {
    objects.create(VALIDATING_ADMISSION_POLICIES, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'rule' },
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: [group], apiVersions: [version], resources: [resource], operations: ['CREATE', 'DELETE'] },
          ],
        },
        ...spec,
      },
    } as Draft<ValidatingAdmissionPolicy>);
    objects.create(VALIDATING_ADMISSION_POLICY_BINDINGS, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'here' },
      spec: { policyName: 'rule', validationActions: ['Deny'], ...binding },
    } as Draft<ValidatingAdmissionPolicyBinding>);
  });
}

interface Outcome {
  warnings: string[];
  error: StatusError | undefined;
}

function attempt(cluster: TestCluster, data: Record<string, string>, name = 'c'): Outcome {
  const warnings: string[] = [];
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
  try {
    cluster.plane.registry.transact({ user: ANA, warn: (text) => void warnings.push(text) }, (session) =>
      create(session, cluster.definition('configmaps'), 'default', object),
    );
    return { warnings, error: undefined };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { warnings, error };
  }
}

const DENIED = `configmaps "c" is forbidden: ValidatingAdmissionPolicy 'rule' with binding 'here' denied request: `;

describe('a policy', () => {
  test('denies what breaks it, in its own words and with its own reason', () => {
    const cluster = testCluster();
    policy(cluster, {
      validations: [{ expression: "object.data.mode != 'wrong'", message: 'mode is wrong', reason: 'Forbidden' }],
    });
    expect(attempt(cluster, { mode: 'right' }, 'fine').error).toBeUndefined();
    const { error } = attempt(cluster, { mode: 'wrong' });
    expect(error?.status).toMatchObject({ code: 403, reason: 'Forbidden', message: `${DENIED}mode is wrong` });
    expect(error?.status.details).toMatchObject({ name: 'c', kind: 'configmaps', causes: [{}] });
  });

  test('says the expression where it has no message, 422 where it has no reason', () => {
    const cluster = testCluster();
    policy(cluster, { validations: [{ expression: 'size(object.data) < 2' }] });
    const { error } = attempt(cluster, { a: '', b: '' });
    expect(error?.status).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: `${DENIED}failed expression: size(object.data) < 2`,
    });
  });

  test('makes its message of an expression, unless that fails', () => {
    const cluster = testCluster();
    policy(cluster, {
      validations: [
        {
          expression: 'false',
          message: 'plain',
          messageExpression: "'by ' + request.userInfo.username + object.data.tail",
        },
      ],
    });
    expect(attempt(cluster, { tail: '!' }).error?.message).toBe(`${DENIED}by ana!`);
    expect(attempt(cluster, {}).error?.message).toBe(`${DENIED}plain`);
  });

  test('sees its variables, each evaluated when it is named, and only their failure where it is reached', () => {
    const cluster = testCluster();
    policy(cluster, {
      variables: [
        { name: 'entries', expression: 'has(object.data) ? object.data : {}' },
        { name: 'broken', expression: 'object.data.absent' },
        { name: 'count', expression: 'size(variables.entries)' },
      ],
      validations: [
        { expression: "variables.count < 2 || variables.broken == 'x'" },
        { expression: "namespaceObject.metadata.name == 'default'" },
      ],
    });
    expect(attempt(cluster, { one: '' }, 'one').error).toBeUndefined();
    expect(attempt(cluster, { one: '', two: '' }).error?.message).toBe(
      `${DENIED}expression 'variables.count < 2 || variables.broken == 'x'' resulted in error: composited variable "broken" fails to evaluate: no such key: absent`,
    );
  });

  test('that cannot be judged denies, unless failures are to be ignored', () => {
    const strict = testCluster();
    policy(strict, { validations: [{ expression: "object.data.absent == 'x'" }] });
    expect(attempt(strict, {}).error?.message).toContain('resulted in error: no such key: ');
    const lax = testCluster();
    policy(lax, { failurePolicy: 'Ignore', validations: [{ expression: "object.data.absent == 'x'" }] });
    expect(attempt(lax, {}).error).toBeUndefined();
  });

  test('does not speak of what its conditions leave out, and sees deletions by their old object', () => {
    const cluster = testCluster();
    policy(cluster, {
      matchConditions: [{ name: 'not-mine', expression: "request.userInfo.username != 'system:longshore'" }],
      validations: [{ expression: "request.operation != 'DELETE' || oldObject.data.keep != 'yes'", message: 'kept' }],
    });
    expect(attempt(cluster, { keep: 'yes' }).error).toBeUndefined();
    const remove = (user: UserInfo) => () =>
      cluster.as(user, (session) => deleteObject(session, cluster.definition('configmaps'), 'default', 'c', {}));
    expect(remove(ANA)).toThrow(`${DENIED}kept`);
    cluster.do((objects) => objects.delete(CONFIG_MAPS, 'default', 'c'));
    expect(cluster.stored('configmaps', 'default', 'c')).toBeUndefined();
  });

  test('warns where its binding says so', () => {
    const cluster = testCluster();
    policy(
      cluster,
      { validations: [{ expression: 'false', message: 'old' }] },
      { validationActions: ['Warn', 'Audit'] },
    );
    const { warnings, error } = attempt(cluster, {});
    expect(error).toBeUndefined();
    expect(warnings).toEqual(["Validation failed for ValidatingAdmissionPolicy 'rule' with binding 'here': old"]);
  });

  test('is bound to namespaces and objects by their labels', () => {
    const cluster = testCluster();
    policy(
      cluster,
      { validations: [{ expression: 'false' }] },
      {
        policyName: 'rule',
        validationActions: ['Deny'],
        matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'elsewhere' } } },
      },
    );
    expect(attempt(cluster, {}).error).toBeUndefined();
  });

  test('takes parameters by name or selector, and denies or allows where there are none', () => {
    const cluster = testCluster();
    const limits = (name: string, most: string) =>
      cluster.do((objects) =>
        objects.create(CONFIG_MAPS, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace: 'kube-system', labels: { kind: 'limits' } },
          data: { most },
        }),
      );
    policy(
      cluster,
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [{ expression: 'size(object.data) <= int(params.data.most)', message: 'too many' }],
      },
      {
        paramRef: {
          namespace: 'kube-system',
          selector: { matchLabels: { kind: 'limits' } },
          parameterNotFoundAction: 'Deny',
        },
      },
    );
    expect(attempt(cluster, {}).error?.message).toBe(
      `${DENIED}failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
    );
    // Deployments are not what the policy is about, so parameters can be made all the same by the control plane only.
    cluster.do((objects) => objects.delete(VALIDATING_ADMISSION_POLICY_BINDINGS, '', 'here'));
    limits('wide', '5');
    limits('narrow', '1');
    cluster.do((objects) =>
      objects.create(VALIDATING_ADMISSION_POLICY_BINDINGS, {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: 'here' },
        spec: {
          policyName: 'rule',
          validationActions: ['Deny'],
          paramRef: {
            namespace: 'kube-system',
            selector: { matchLabels: { kind: 'limits' } },
            parameterNotFoundAction: 'Deny',
          },
        },
      } as Draft<ValidatingAdmissionPolicyBinding>),
    );
    expect(attempt(cluster, { a: '', b: '' }).error?.message).toBe(`${DENIED}too many`);
    expect(attempt(cluster, { a: '' }, 'small').error).toBeUndefined();
  });

  test('never judges what configures admission', () => {
    const cluster = testCluster();
    policy(cluster, {
      matchConstraints: {
        resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: ['*'] }],
      },
      validations: [{ expression: 'false' }],
    });
    expect(attempt(cluster, {}).error?.message).toContain('denied request');
    cluster.do((objects) => objects.delete(VALIDATING_ADMISSION_POLICY_BINDINGS, '', 'here'));
    expect(attempt(cluster, {}).error).toBeUndefined();
  });

  test.each<[string, Partial<Spec>, string]>([
    [
      'that does not compile',
      { validations: [{ expression: 'object.foo +' }] },
      'spec.validations[0].expression: Invalid value: "object.foo +": compilation failed: ERROR: <input>:1:',
    ],
    [
      'that is no question',
      { validations: [{ expression: "'text'" }] },
      'spec.validations[0].expression: Invalid value: "\'text\'": must evaluate to bool',
    ],
    [
      'whose variable is named before it is there',
      { variables: [{ name: 'a', expression: 'variables.b' }], validations: [{ expression: 'true' }] },
      'spec.variables[0].expression: Invalid value: "variables.b": compilation failed: ERROR: <input>:1:1: undeclared reference',
    ],
    [
      'without anything to say',
      {},
      'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
    ],
  ])('%s is refused', (_, spec, message) => {
    expect(() => policy(testCluster(), spec as Spec)).toThrow(message);
  });
});

test('a policy about Deployments leaves other kinds alone', () => {
  const cluster = testCluster();
  const [group, version, resource] = RULES.deployments;
  policy(cluster, {
    matchConstraints: {
      resourceRules: [{ apiGroups: [group], apiVersions: [version], resources: [resource], operations: ['CREATE'] }],
    },
    validations: [
      { expression: 'object.spec.replicas > 1', messageExpression: "'wants ' + string(object.spec.replicas)" },
    ],
  });
  expect(attempt(cluster, {}).error).toBeUndefined();
  const web = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  };
  expect(() => cluster.do((objects) => objects.create(DEPLOYMENTS, web as never))).toThrow(
    `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'rule' with binding 'here' denied request: wants 1`,
  );
});
