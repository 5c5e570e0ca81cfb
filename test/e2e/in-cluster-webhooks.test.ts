/**
 * Webhooks where people have them: in a pod, behind a Service, here on a minion that nobody can dial. One converts between the
 * versions of a custom resource, which real kubectl reads and writes; one gives pods a sidecar, whoever makes them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueServerCertificate } from '../../agent/cli/control-plane/certificates.ts';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, startLab } from '../support/lab.ts';
import { WebhookPod } from '../support/webhook-pod.ts';

/** An injector takes no part in its own life, and the rest of the cluster none in that of the test. */
const INJECTED = 'injected';
const ASKED = 'converter.hooks.svc /convert?timeout=30s';

let lab: Lab;
let kubectl: Kubectl;
let webhook: WebhookPod;

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'inner', behind: 'nat' }] });
  const binary = findKubectls().at(-1);
  if (binary === undefined) throw new Error('no kubectl of 1.31 or later on this machine');
  kubectl = new Kubectl(binary, lab.kubeconfig);
  const authority = await createAuthority(Date.now());
  const caBundle = Buffer.from(authority.certificate).toString('base64');
  await kubectl.run(['apply', '-f', '-'], { input: objects(caBundle) });
  await kubectl.run(['-n', 'hooks', 'wait', '--for=condition=Ready', 'pod/converter', '--timeout=40s']);
  const certificate = await issueServerCertificate(authority, ['converter.hooks.svc'], Date.now());
  webhook = await WebhookPod.start(lab.minion('inner'), 'converter', certificate);
});
afterAll(async () => {
  await webhook?.stop();
  await lab?.dispose();
});

const objects = (caBundle: string) => `
apiVersion: v1
kind: Namespace
metadata: { name: hooks }
---
apiVersion: v1
kind: Pod
metadata: { name: converter, namespace: hooks, labels: { app: converter } }
spec:
  terminationGracePeriodSeconds: 0
  containers: [{ name: main, image: ${BUSYBOX}, command: [sleep, '3600'] }]
---
apiVersion: v1
kind: Service
metadata: { name: converter, namespace: hooks }
spec:
  selector: { app: converter }
  ports: [{ port: 443, targetPort: 8443 }]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: endpointers.stable.example.com }
spec:
  group: stable.example.com
  scope: Namespaced
  names: { plural: endpointers, singular: endpointer, kind: Endpointer, listKind: EndpointerList }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, properties: { hostPort: { type: string } } } }
      additionalPrinterColumns: [{ name: Address, type: string, jsonPath: .hostPort }]
    - name: v2
      served: true
      storage: false
      schema: { openAPIV3Schema: { type: object, properties: { host: { type: string }, port: { type: string } } } }
      additionalPrinterColumns: [{ name: Port, type: string, jsonPath: .port }]
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: { service: { namespace: hooks, name: converter, path: /convert }, caBundle: ${caBundle} }
---
apiVersion: v1
kind: Namespace
metadata: { name: ${INJECTED}, labels: { inject: sidecar } }
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: { name: injector }
webhooks:
  - name: injector.example.com
    clientConfig: { service: { namespace: hooks, name: converter, path: /inject }, caBundle: ${caBundle} }
    rules: [{ operations: [CREATE], apiGroups: [''], apiVersions: [v1], resources: [pods] }]
    namespaceSelector: { matchLabels: { inject: sidecar } }
    sideEffects: None
    admissionReviewVersions: [v1]
`;

const first = `
apiVersion: stable.example.com/v1
kind: Endpointer
metadata: { name: first }
hostPort: 'local:7070'
`;
const second = `
apiVersion: stable.example.com/v2
kind: Endpointer
metadata: { name: second }
host: far
port: '9090'
`;

const V1 = 'endpointers.v1.stable.example.com';
const V2 = 'endpointers.v2.stable.example.com';

describe('a custom resource of two versions', () => {
  test('[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert from CR v1 to CR v2 [Conformance]', async () => {
    await kubectl.run(['apply', '-f', '-'], { input: first });
    expect(await kubectl.run(['get', V1, 'first', '-o', 'jsonpath={.hostPort}'])).toBe('local:7070');
    expect(webhook.calls).toEqual([]);
    expect(await kubectl.run(['get', V2, 'first', '-o', 'jsonpath={.host} {.port}'])).toBe('local 7070');
    expect(webhook.calls.splice(0)).toEqual([ASKED]);
  });

  test('written in the other one, is stored in this one', async () => {
    await kubectl.run(['apply', '-f', '-'], { input: second });
    expect(new Set(webhook.calls.splice(0))).toEqual(new Set([ASKED]));
    expect(await kubectl.run(['get', V1, 'second', '-o', 'jsonpath={.hostPort}'])).toBe('far:9090');
    expect(webhook.calls).toEqual([]);
  });

  test('is patched and applied through either version', async () => {
    await kubectl.run(['patch', V2, 'first', '--type=merge', '-p', '{"port":"8080"}']);
    expect(await kubectl.run(['get', V1, 'first', '-o', 'jsonpath={.hostPort}'])).toBe('local:8080');
    const applied = first.replace('local:7070', 'near:1');
    await kubectl.run(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: applied });
    expect(await kubectl.run(['get', V2, 'first', '-o', 'jsonpath={.host} {.port}'])).toBe('near 1');
  });

  test('[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert a non homogeneous list of CRs [Conformance]', async () => {
    const storage = (version: number, value: boolean) => ({
      op: 'replace',
      path: `/spec/versions/${version}/storage`,
      value,
    });
    const patch = JSON.stringify([storage(0, false), storage(1, true)]);
    await kubectl.run(['patch', 'crd', 'endpointers.stable.example.com', '--type=json', '-p', patch]);
    const third = first.replace('name: first', 'name: third');
    await kubectl.run(['apply', '-f', '-'], { input: third });
    const rows = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/));
    expect(rows(await kubectl.run(['get', V1]))).toEqual([
      ['NAME', 'ADDRESS'],
      ['first', 'near:1'],
      ['second', 'far:9090'],
      ['third', 'local:7070'],
    ]);
    expect(rows(await kubectl.run(['get', V2]))).toEqual([
      ['NAME', 'PORT'],
      ['first', '1'],
      ['second', '9090'],
      ['third', '7070'],
    ]);
    webhook.calls.length = 0;
  });
});

test('a deployment’s pods run with the sidecar that the webhook gives them', async () => {
  await kubectl.run(['-n', INJECTED, 'create', 'deployment', 'web', `--image=${BUSYBOX}`, '--', 'sleep', '3600']);
  await kubectl.run(['-n', INJECTED, 'rollout', 'status', 'deployment/web', '--timeout=60s']);
  const query = ['-n', INJECTED, 'get', 'pods', '-o', 'jsonpath={.items[*].status.containerStatuses[?(@.ready)].name}'];
  expect((await kubectl.run(query)).split(' ').sort()).toEqual(['busybox', 'sidecar']);
  expect(webhook.calls.splice(0)).toContain('converter.hooks.svc /inject?timeout=10s');
});

test('without its webhook an object goes on in its own version, the other one fails by name, and the definition can go', async () => {
  await webhook.stop();
  expect(await kubectl.run(['get', V1, 'first', '-o', 'jsonpath={.hostPort}'])).toBe('near:1');
  const refused = await kubectl.try(['get', V2, 'first']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /conversion webhook for stable\.example\.com\/v1, Kind=Endpointer failed: Post "https:\/\/converter\.hooks\.svc:443\/convert\?timeout=30s": /,
  );
  await kubectl.run(['delete', 'crd', 'endpointers.stable.example.com', '--timeout=20s']);
  const { status } = await lab.api('GET', '/apis/stable.example.com/v1/endpointers');
  expect(status).toBe(404);
});
