/** Kubernetes' conformance tests of sig-auth that need the API alone; each test is named after its line. */
import { expect, test } from 'vitest';
import type { CertificateSigningRequest } from '../../../shared/api/certificates.ts';
import type { ConfigMap, Pod, ServiceAccount } from '../../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { certificateRequest } from '../../support/certificate-request.ts';
import { eventually } from '../../support/eventually.ts';
import { TestApi } from '../support/api.ts';

const MERGE = { 'content-type': 'application/merge-patch+json' };

interface Event {
  type: string;
  object: KubeObject;
}

/** The events of a watch until one is of this type. */
async function watchUntil(api: TestApi, path: string, type: string): Promise<Event> {
  const response = await api.fetch('GET', path);
  let text = '';
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text
      .split('\n')
      .slice(0, -1)
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Event);
    const found = events.find((event) => event.type === type);
    if (found !== undefined) return found;
  }
  throw new Error(`the watch of ${path} ended without ${type}: ${text}`);
}

test('[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]', async () => {
  const api = new TestApi('conformance-csr');
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const groups = await api.json<{ groups: { name: string }[] }>('GET', '/apis');
  expect(groups.groups.map((each) => each.name)).toContain('certificates.k8s.io');
  const group = await api.json<{ versions: { version: string }[] }>('GET', '/apis/certificates.k8s.io');
  expect(group.versions.map((each) => each.version)).toContain('v1');
  const { resources } = await api.json<{ resources: { name: string }[] }>('GET', '/apis/certificates.k8s.io/v1');
  expect(resources.map((each) => each.name)).toEqual(
    expect.arrayContaining([
      'certificatesigningrequests',
      'certificatesigningrequests/approval',
      'certificatesigningrequests/status',
    ]),
  );

  const request = await certificateRequest('e2e-csr-test', ['e2e']);
  const draft = (more: object = {}) => ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { generateName: 'e2e-example-csr-', labels: { test: 'csr' } },
    spec: {
      request,
      signerName: 'example.com/e2e-signer',
      expirationSeconds: 3600,
      usages: ['digital signature', 'key encipherment', 'server auth'],
      username: 'somebody else',
    },
    ...more,
  });
  const created = await api.json<CertificateSigningRequest>('POST', path, { body: draft() });
  expect(created.spec).toMatchObject({ username: 'kubernetes-admin', expirationSeconds: 3600, request });
  expect(created.status).toEqual({});
  for (let more = 0; more < 2; more++) await api.json('POST', path, { body: draft() });
  await api.evict();
  const name = `${path}/${created.metadata.name}`;
  expect(await api.json<CertificateSigningRequest>('GET', name)).toEqual(created);
  const list = await api.json<KubeList<KubeObject>>('GET', `${path}?labelSelector=test%3Dcsr`);
  expect(list.items).toHaveLength(3);
  const bySigner = await api.json<KubeList<KubeObject>>(
    'GET',
    `${path}?fieldSelector=${encodeURIComponent('spec.signerName=example.com/other')}`,
  );
  expect(bySigner.items).toHaveLength(0);

  const watched = watchUntil(api, `${path}?watch=1&resourceVersion=${list.metadata.resourceVersion}`, 'MODIFIED');
  const patched = await api.json<KubeObject>('PATCH', name, {
    headers: MERGE,
    body: { metadata: { annotations: { patched: 'true' } } },
  });
  expect(patched.metadata.annotations).toEqual({ patched: 'true' });
  const updated = await api.json<CertificateSigningRequest>('PUT', name, {
    body: {
      ...patched,
      metadata: { ...patched.metadata, annotations: { patched: 'true', updated: 'true' } },
      spec: { ...created.spec, signerName: 'example.com/changed' },
    },
  });
  expect(updated.metadata.annotations).toMatchObject({ updated: 'true' });
  // What is asked for does not change.
  expect(updated.spec).toEqual(created.spec);
  expect((await watched).object.metadata.annotations).toMatchObject({ patched: 'true' });

  const approval = await api.json<CertificateSigningRequest>('PATCH', `${name}/approval`, {
    headers: MERGE,
    body: {
      metadata: { annotations: { patchedapproval: 'true' } },
      status: { conditions: [{ type: 'ApprovalPatch', status: 'True', reason: 'e2e' }] },
    },
  });
  expect(approval.status?.conditions?.map((each) => each.type)).toEqual(['ApprovalPatch']);
  expect(approval.metadata.annotations).toMatchObject({ patchedapproval: 'true' });
  const approved = await api.json<CertificateSigningRequest>('PUT', `${name}/approval`, {
    body: {
      ...approval,
      status: {
        conditions: [
          ...(approval.status?.conditions ?? []),
          { type: 'Approved', status: 'True', reason: 'E2E', message: 'Set from an e2e test' },
        ],
        certificate: btoa('ignored'),
      },
    },
  });
  expect(approved.status?.conditions?.map((each) => each.type)).toEqual(['ApprovalPatch', 'Approved']);
  expect(approved.status?.conditions?.[1]?.lastTransitionTime).toMatch(/Z$/);
  expect(approved.status?.certificate).toBeUndefined();

  const certificate = btoa(`-----BEGIN CERTIFICATE-----\n${btoa('certificate')}\n-----END CERTIFICATE-----\n`);
  const issued = await api.json<CertificateSigningRequest>('PATCH', `${name}/status`, {
    headers: MERGE,
    body: {
      metadata: { annotations: { patchedstatus: 'true' } },
      status: { certificate, conditions: [{ type: 'StatusPatch', status: 'True', reason: 'e2e' }] },
    },
  });
  expect(issued.status?.certificate).toBe(certificate);
  expect(issued.status?.conditions?.map((each) => each.type)).toEqual(['Approved', 'StatusPatch']);
  const updatedStatus = await api.json<CertificateSigningRequest>('PUT', `${name}/status`, {
    body: {
      ...issued,
      status: {
        ...issued.status,
        conditions: [...(issued.status?.conditions ?? []), { type: 'StatusUpdate', status: 'True', reason: 'e2e' }],
      },
    },
  });
  expect(updatedStatus.status?.conditions?.map((each) => each.type)).toContain('StatusUpdate');

  await api.json('DELETE', name);
  expect(await api.code('GET', name)).toBe(404);
  await api.json('DELETE', `${path}?labelSelector=test%3Dcsr`);
  expect((await api.json<KubeList<KubeObject>>('GET', `${path}?labelSelector=test%3Dcsr`)).items).toEqual([]);
});

test('[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]', async () => {
  const api = new TestApi('conformance-token');
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  await api.json('POST', accounts, {
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'e2e-sa' } },
  });
  const { status } = await api.json<{ status: { token: string; expirationTimestamp: string } }>(
    'POST',
    `${accounts}/e2e-sa/token`,
    {
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { name: 'e2e-sa', namespace: 'default' },
        spec: {},
      },
    },
  );
  const review = await api.json<{ status: { authenticated: boolean; error?: string; user: { username: string } } }>(
    'POST',
    '/apis/authentication.k8s.io/v1/tokenreviews',
    {
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        metadata: { name: 'token', namespace: 'default' },
        spec: { token: status.token },
      },
    },
  );
  expect(review.status.error).toBeUndefined();
  expect(review.status.authenticated).toBe(true);
  expect(review.status.user.username).toBe('system:serviceaccount:default:e2e-sa');
});

test('[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]', async () => {
  const api = new TestApi('conformance-automount');
  const home = '/api/v1/namespaces/default';
  for (const [name, automountServiceAccountToken] of [
    ['mount', true],
    ['nomount', false],
  ] as const) {
    await api.json('POST', `${home}/serviceaccounts`, { body: { metadata: { name }, automountServiceAccountToken } });
  }
  for (const [serviceAccountName, ofPod, expected] of [
    ['default', undefined, true],
    ['mount', undefined, true],
    ['nomount', undefined, false],
    ['default', true, true],
    ['mount', true, true],
    ['nomount', true, true],
    ['default', false, false],
    ['mount', false, false],
    ['nomount', false, false],
  ] as const) {
    const { spec } = await api.json<Pod>('POST', `${home}/pods`, {
      body: {
        metadata: { generateName: `${serviceAccountName}-` },
        spec: {
          serviceAccountName,
          restartPolicy: 'Never',
          containers: [{ name: 'token-test', image: 'agnhost' }],
          ...(ofPod === undefined ? {} : { automountServiceAccountToken: ofPod }),
        },
      },
    });
    const paths = spec.containers.flatMap((each) => (each.volumeMounts ?? []).map((mount) => mount.mountPath));
    const what = `${serviceAccountName}, the pod says ${ofPod}`;
    expect([what, paths.includes('/var/run/secrets/kubernetes.io/serviceaccount')]).toEqual([what, expected]);
  }
});

test('[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace [Conformance]', async () => {
  const api = new TestApi('conformance-root-ca');
  await api.json('POST', '/api/v1/namespaces', { body: { metadata: { name: 'trusting' } } });
  const path = '/api/v1/namespaces/trusting/configmaps/kube-root-ca.crt';
  const trusted = (what: string) =>
    eventually(`kube-root-ca.crt ${what}`, async () => {
      const { data } = await api.json<ConfigMap>('GET', path);
      return Object.keys(data ?? {}).length === 1 && data?.['ca.crt'];
    });
  const certificate = await trusted('is there');
  expect(certificate).toContain('BEGIN CERTIFICATE');
  await api.json('DELETE', path);
  expect(await trusted('is there again')).toBe(certificate);
  const current = await api.json<ConfigMap>('GET', path);
  await api.json('PUT', path, { body: { ...current, data: { 'ca.crt': '' } } });
  expect(await trusted('is as it was')).toBe(certificate);
});

test('[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount [Conformance]', async () => {
  const api = new TestApi('conformance-sa');
  const path = '/api/v1/namespaces/default/serviceaccounts';
  const selected = `${path}?labelSelector=test-serviceaccount-static%3Dtrue`;
  const { metadata } = await api.json<KubeList<KubeObject>>('GET', path);
  const watch = (type: string, since: string | undefined) =>
    watchUntil(api, `${selected}&watch=1&resourceVersion=${since}`, type);
  const added = watch('ADDED', metadata.resourceVersion);
  const created = await api.json<ServiceAccount>('POST', path, {
    body: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'testserviceaccount', labels: { 'test-serviceaccount-static': 'true' } },
    },
  });
  expect((await added).object.metadata.uid).toBe(created.metadata.uid);
  expect(await api.json('GET', `${path}/testserviceaccount`)).toEqual(created);
  const modified = watch('MODIFIED', created.metadata.resourceVersion);
  await api.json('PATCH', `${path}/testserviceaccount`, {
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
    body: { automountServiceAccountToken: false },
  });
  expect(((await modified).object as ServiceAccount).automountServiceAccountToken).toBe(false);
  const everywhere = await api.json<KubeList<KubeObject>>(
    'GET',
    '/api/v1/serviceaccounts?labelSelector=test-serviceaccount-static%3Dtrue',
  );
  expect(everywhere.items.map((each) => each.metadata.name)).toEqual(['testserviceaccount']);
  const deleted = watch('DELETED', everywhere.metadata.resourceVersion);
  await api.json('DELETE', selected);
  expect((await deleted).object.metadata.name).toBe('testserviceaccount');
  expect(await api.code('GET', `${path}/testserviceaccount`)).toBe(404);
});

test('[sig-auth] ServiceAccounts should update a ServiceAccount [Conformance]', async () => {
  const api = new TestApi('conformance-sa-update');
  const path = '/api/v1/namespaces/default/serviceaccounts';
  const created = await api.json<ServiceAccount>('POST', path, {
    body: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'e2e-sa-update' },
      automountServiceAccountToken: true,
    },
  });
  expect(created.automountServiceAccountToken).toBe(true);
  const updated = await api.json<ServiceAccount>('PUT', `${path}/e2e-sa-update`, {
    body: { ...created, automountServiceAccountToken: false },
  });
  expect(updated.automountServiceAccountToken).toBe(false);
  await api.evict();
  expect(await api.json('GET', `${path}/e2e-sa-update`)).toEqual(updated);
});

test('[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]', async () => {
  const api = new TestApi('conformance-review');
  const authorization = '/apis/authorization.k8s.io/v1';
  await api.json('POST', '/api/v1/namespaces/default/serviceaccounts', {
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'e2e' } },
  });
  const user = 'system:serviceaccount:default:e2e';
  const resourceAttributes = { namespace: 'default', verb: 'list', resource: 'configmaps', version: 'v1' };
  interface Answered {
    spec: object;
    status: { allowed: boolean; evaluationError?: string };
  }
  const subject = await api.json<Answered>('POST', `${authorization}/subjectaccessreviews`, {
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { resourceAttributes, user, groups: ['system:authenticated'] },
    },
  });
  expect(subject.status).toEqual({ allowed: false });
  expect(subject.spec).toMatchObject({ user, resourceAttributes });
  // What the review says is what the API does.
  const impersonated = await api.refusal('GET', '/api/v1/namespaces/default/configmaps', {
    headers: { 'impersonate-user': user },
  });
  expect(impersonated).toMatchObject({
    http: 403,
    message: `configmaps is forbidden: User "${user}" cannot list resource "configmaps" in API group "" in the namespace "default"`,
  });
  const local = (namespace: string) => ({
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'LocalSubjectAccessReview',
      metadata: { namespace: 'default' },
      spec: { resourceAttributes: { ...resourceAttributes, namespace }, user },
    },
  });
  const localPath = `${authorization}/namespaces/default/localsubjectaccessreviews`;
  expect((await api.json<Answered>('POST', localPath, local('default'))).status).toEqual({ allowed: false });
  expect(await api.refusal('POST', localPath, local('kube-system'))).toMatchObject({
    http: 400,
    message: 'spec.resourceAttributes.namespace must match namespace: default',
  });
  await api.json('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
    body: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'e2e-view' },
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'e2e', namespace: 'default' }],
    },
  });
  await api.evict();
  expect((await api.json<Answered>('POST', localPath, local('default'))).status).toEqual({
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "e2e-view/default" of ClusterRole "view" to ServiceAccount "e2e/default"',
  });
  await api.json('GET', '/api/v1/namespaces/default/configmaps', { headers: { 'impersonate-user': user } });
});
