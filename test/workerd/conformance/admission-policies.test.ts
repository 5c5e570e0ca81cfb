/** Kubernetes' conformance tests of ValidatingAdmissionPolicy, each named after its line. */
import { expect, test } from 'vitest';
import { TestApi } from '../support/api.ts';
import { supportsOperations } from '../support/operations.ts';

const api = new TestApi('conformance-policies');
const VERSION = '/apis/admissionregistration.k8s.io/v1';

async function namespaceOf(name: string): Promise<string> {
  await api.json('POST', '/api/v1/namespaces', { body: { metadata: { name, labels: { [name]: 'true' } } } });
  return `/apis/apps/v1/namespaces/${name}/deployments`;
}

const deployment = (name: string, replicas: number) => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
  },
});

const DEPLOYMENT_RULE = {
  apiGroups: ['apps'],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources: ['deployments'],
};

/** The policy, bound to the namespace alone. */
async function bound(name: string, spec: object): Promise<void> {
  const matchConstraints = { resourceRules: [DEPLOYMENT_RULE] };
  await api.json('POST', `${VERSION}/validatingadmissionpolicies`, {
    body: { metadata: { name }, spec: { matchConstraints, ...spec } },
  });
  const matchResources = { namespaceSelector: { matchLabels: { [name]: 'true' } } };
  await api.json('POST', `${VERSION}/validatingadmissionpolicybindings`, {
    body: { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'], matchResources } },
  });
}

test('[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment [Conformance]', async () => {
  const home = await namespaceOf('validate');
  await bound('validate', {
    validations: [
      {
        expression: 'object.spec.replicas > 1',
        messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
      },
      {
        expression: "namespaceObject.metadata.name == 'validate'",
        message: 'Internal error! Other namespace should not be allowed.',
      },
    ],
  });
  await api.json('POST', home, { body: deployment('replicated', 2) });
  const refused = await api.refusal('POST', home, { body: deployment('single', 1) });
  expect(refused).toMatchObject({
    http: 422,
    reason: 'Invalid',
    message: `deployments.apps "single" is forbidden: ValidatingAdmissionPolicy 'validate' with binding 'validate' denied request: wants replicas > 1, got 1`,
  });
  const elsewhere = await namespaceOf('elsewhere');
  await api.json('POST', elsewhere, { body: deployment('single', 1) });
});

test('[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer variables. [Conformance]', async () => {
  const home = await namespaceOf('variables');
  await bound('variables', {
    variables: [
      { name: 'replicas', expression: 'object.spec.replicas' },
      { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
    ],
    validations: [{ expression: 'variables.replicas > 1' }, { expression: 'variables.oddReplicas' }],
  });
  await api.json('POST', home, { body: deployment('replicated', 3) });
  const single = await api.refusal('POST', home, { body: deployment('single', 1) });
  expect(single.message).toContain('denied request: failed expression: variables.replicas > 1');
  const even = await api.refusal('POST', home, { body: deployment('even', 2) });
  expect(even.message).toContain('denied request: failed expression: variables.oddReplicas');
});

test('[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicy API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: VERSION,
    resource: 'validatingadmissionpolicies',
    kind: 'ValidatingAdmissionPolicy',
    body: {
      spec: {
        matchConstraints: { resourceRules: [DEPLOYMENT_RULE] },
        validations: [{ expression: 'object.spec.replicas <= 100' }],
      },
    },
    status: {
      conditions: [
        {
          type: 'PolicyReady',
          status: 'True',
          reason: 'E2E',
          message: 'set from a test',
          lastTransitionTime: '2026-11-22T00:00:00Z',
        },
      ],
    },
  });
});

test('[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API operations [Conformance]', async () => {
  await supportsOperations(api, {
    version: VERSION,
    resource: 'validatingadmissionpolicybindings',
    kind: 'ValidatingAdmissionPolicyBinding',
    body: { spec: { policyName: 'replicalimit-policy.example.com', validationActions: ['Deny'] } },
  });
});
