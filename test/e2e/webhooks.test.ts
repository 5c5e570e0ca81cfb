/**
 * Admission webhooks with real certificates: workerd asks a minion, which makes the HTTPS call: to a Service's endpoint, and
 * to a URL with a caBundle. Nobody whose certificate is another's is told anything. And what real kubectl says of a webhook
 * that guards more than objects: exec, and scaling.
 */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueServerCertificate } from '../../agent/cli/control-plane/certificates.ts';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, startLab } from '../support/lab.ts';

const REFUSED = 'not in this cluster';
const VALIDATING_HOOKS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const HOOKS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

let lab: Lab;
let server: Server;
let address: string;
let authority: Awaited<ReturnType<typeof createAuthority>>;
const asked: string[] = [];

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'm1' }] });
  // An address of this machine that a minion reaches.
  address = lab.controlPlane.listen ?? '';
  authority = await createAuthority(Date.now());
  const names = ['hook.default.svc', address];
  const { certificate, privateKey } = await issueServerCertificate(authority, names, Date.now());
  server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { request: review } = JSON.parse(Buffer.concat(pieces).toString()) as { request: { uid: string } };
      const patch = Buffer.from(JSON.stringify([{ op: 'add', path: '/data/seen', value: 'yes' }])).toString('base64');
      const answer = request.url?.startsWith('/deny')
        ? { uid: review.uid, allowed: false, status: { message: REFUSED } }
        : { uid: review.uid, allowed: true, patchType: 'JSONPatch', patch };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await lab?.dispose();
});

async function made(method: string, path: string, body?: unknown): Promise<{ data?: Record<string, string> }> {
  const answer = await lab.api(method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body as { data?: Record<string, string> };
}

const caOf = ({ certificate }: { certificate: string }): string => Buffer.from(certificate).toString('base64');

/** Sends config maps that carry the label to this webhook. */
const configure = (name: string, clientConfig: object) =>
  made('POST', HOOKS, {
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        clientConfig,
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
        objectSelector: { matchLabels: { hook: name } },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  });

const configMap = (hook: string) => ({ metadata: { name: hook, labels: { hook } }, data: { own: 'x' } });

describe('a webhook', () => {
  test('behind a Service is asked by a minion, under the name of the Service', async () => {
    const { port } = server.address() as AddressInfo;
    await made('POST', '/api/v1/namespaces/default/services', {
      metadata: { name: 'hook' },
      spec: { ports: [{ port: 443, targetPort: port }] },
    });
    await made('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name: 'hook', labels: { 'kubernetes.io/service-name': 'hook' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
      ports: [{ port, protocol: 'TCP', name: '' }],
    });
    const service = { namespace: 'default', name: 'hook', path: '/mutate' };
    await configure('service', { service, caBundle: caOf(authority) });
    const { data } = await made('POST', CONFIG_MAPS, configMap('service'));
    expect(data).toEqual({ own: 'x', seen: 'yes' });
    expect(asked.splice(0)).toEqual(['hook.default.svc /mutate?timeout=10s']);
  });

  test('at a URL with a caBundle is trusted for that bundle', async () => {
    const { port } = server.address() as AddressInfo;
    await configure('url', { url: `https://${address}:${port}/u`, caBundle: caOf(authority) });
    const { data } = await made('POST', CONFIG_MAPS, configMap('url'));
    expect(data).toEqual({ own: 'x', seen: 'yes' });
    expect(asked.splice(0)).toEqual([`${address}:${port} /u?timeout=10s`]);
  });

  test('with a certificate of somebody else is not told anything, and the write fails', async () => {
    const stranger = await createAuthority(Date.now());
    const service = { namespace: 'default', name: 'hook', path: '/mutate' };
    await configure('stranger', { service, caBundle: caOf(stranger) });
    const { status, body } = await lab.api('POST', CONFIG_MAPS, configMap('stranger'));
    expect(status).toBe(500);
    expect((body as { message: string }).message).toMatch(
      /failed calling webhook "stranger\.example\.com": failed to call webhook: Post "https:\/\/hook\.default\.svc:443\/mutate\?timeout=10s": .*certificate/,
    );
    expect(asked).toEqual([]);
  });
});

test('kubectl says who denied an exec and a scaling, and does both without', async () => {
  const binary = findKubectls().at(-1);
  if (binary === undefined) throw new Error('no kubectl of 1.31 or later on this machine');
  const kubectl = new Kubectl(binary, lab.kubeconfig);
  await kubectl.run(['create', 'deployment', 'web', `--image=${BUSYBOX}`, '--', 'sleep', '3600']);
  await kubectl.run(['wait', '--for=condition=Available', 'deployment/web', '--timeout=40s']);
  const exec = ['exec', 'deploy/web', '--', 'echo', 'inside'];
  expect(await kubectl.run(exec)).toBe('inside\n');
  const { port } = server.address() as AddressInfo;
  const deny = (name: string, operation: string, apiGroup: string, resource: string) => ({
    name: `${name}.example.com`,
    clientConfig: { url: `https://${address}:${port}/deny`, caBundle: caOf(authority) },
    rules: [{ operations: [operation], apiGroups: [apiGroup], apiVersions: ['v1'], resources: [resource] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  });
  await made('POST', VALIDATING_HOOKS, {
    metadata: { name: 'guards' },
    webhooks: [
      deny('deny-exec', 'CONNECT', '', 'pods/exec'),
      deny('deny-scale', 'UPDATE', 'apps', 'deployments/scale'),
    ],
  });
  const refused = await kubectl.try(exec);
  expect(refused.stderr).toContain(`admission webhook "deny-exec.example.com" denied the request: ${REFUSED}`);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  const scaled = await kubectl.try(['scale', 'deployment', 'web', '--replicas=2']);
  expect(scaled.code).toBe(1);
  expect(scaled.stderr).toBe(
    `Error from server: admission webhook "deny-scale.example.com" denied the request: ${REFUSED}\n`,
  );
  await kubectl.run(['delete', 'validatingwebhookconfiguration', 'guards']);
  expect(await kubectl.run(exec)).toBe('inside\n');
  expect(await kubectl.run(['scale', 'deployment', 'web', '--replicas=2'])).toBe('deployment.apps/web scaled\n');
});
