import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../../agent/cli/control-plane/certificates.ts';
import { CERTIFICATE_SIGNING_REQUESTS, type CertificateSigningRequest } from '../../../shared/api/certificates.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, RBAC_GROUP } from '../../../shared/api/rbac.ts';
import { createCertificateAuthority } from '../../../worker/controllers/certificate-authority.ts';
import { create } from '../../../worker/registry/create.ts';
import { update } from '../../../worker/registry/update.ts';
import type { UserInfo } from '../../../worker/users.ts';
import { certificateRequest } from '../../support/certificate-request.ts';
import { testClock } from '../../support/clock.ts';
import { type ClusterOptions, type TestCluster, testCluster } from '../../support/cluster.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const RESOURCE = 'certificatesigningrequests.certificates.k8s.io';
const MASTERS: UserInfo = { username: 'root', groups: ['system:masters'] };
const ANN: UserInfo = { username: 'ann', uid: '7', groups: ['devs'], extra: { from: ['here'] } };

const files = await createAuthority(testClock().nowMs, 'test authority');
const authority = createCertificateAuthority(files.certificate, files.privateKey, seededRandom(7).next);
const request = await certificateRequest('ann', ['devs', 'ops']);

const draftOf = (spec: Partial<CertificateSigningRequest['spec']> = {}) => ({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name: 'ann' },
  spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], ...spec },
});

const ask = (cluster: TestCluster, spec: Partial<CertificateSigningRequest['spec']> = {}, user = ANN) =>
  cluster.as(user, (session) => create(session, cluster.definition(RESOURCE), '', draftOf(spec)).object);

const current = (cluster: TestCluster): CertificateSigningRequest => {
  const found = cluster.stored<CertificateSigningRequest>(RESOURCE, '', 'ann');
  if (found === undefined) throw new Error('no request');
  return found;
};

function decide(cluster: TestCluster, type: 'Approved' | 'Denied', user = MASTERS): void {
  const draft = current(cluster);
  draft.status = { ...draft.status, conditions: [{ type, status: 'True', reason: 'Test', message: 'for a test' }] };
  cluster.as(user, (session) => {
    update(session, cluster.definition(RESOURCE), '', 'ann', draft, { subresource: 'approval' });
  });
}

function asked(options: ClusterOptions, spec: Partial<CertificateSigningRequest['spec']> = {}): TestCluster {
  const cluster = testCluster(options);
  ask(cluster, spec);
  return cluster;
}

describe('an approved request', () => {
  test('gets a certificate of the cluster’s CA for its own subject and key', () => {
    const cluster = asked({ authority }, { expirationSeconds: 3600, usages: ['digital signature', 'client auth'] });
    expect(current(cluster).status).toEqual({});
    decide(cluster, 'Approved');
    const issued = new X509Certificate(atob(current(cluster).status?.certificate ?? ''));
    const ca = new X509Certificate(files.certificate);
    expect(issued.verify(ca.publicKey)).toBe(true);
    expect(issued.checkIssued(ca)).toBe(true);
    expect(issued.subject).toBe('CN=ann\nO=devs\nO=ops');
    expect(issued.ca).toBe(false);
    expect(issued.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(Date.parse(issued.validTo)).toBe(cluster.clock.nowMs + 3600_000);
    expect(Date.parse(issued.validFrom)).toBe(cluster.clock.nowMs - 300_000);
  });

  test('stays unsigned where there is no key, and says so', () => {
    const cluster = asked({});
    decide(cluster, 'Approved');
    const { certificate, conditions } = current(cluster).status ?? {};
    expect(certificate).toBeUndefined();
    expect(conditions?.map(({ type, reason }) => [type, reason])).toEqual([
      ['Approved', 'Test'],
      ['SigningUnavailable', 'NoCertificateAuthorityKey'],
    ]);
  });

  test('fails when it asks for what the signer does not sign', () => {
    const cluster = asked({ authority }, { usages: ['client auth', 'server auth'] });
    decide(cluster, 'Approved');
    expect(current(cluster).status?.conditions?.at(-1)).toMatchObject({
      type: 'Failed',
      reason: 'SignerValidationFailure',
    });
  });

  test('fails when another key signed it', () => {
    const bytes = Uint8Array.from(atob(request), (character) => character.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    const der = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const at = der.indexOf('devs');
    der.write('root', at);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    const cluster = asked({ authority }, { request: btoa(forged) });
    decide(cluster, 'Approved');
    expect(current(cluster).status?.conditions?.at(-1)).toMatchObject({
      type: 'Failed',
      message: 'unable to verify certificate request signature',
    });
  });

  test('of somebody else’s signer is left to it', () => {
    const cluster = asked({ authority }, { signerName: 'example.com/signer' });
    decide(cluster, 'Approved');
    expect(current(cluster).status?.conditions).toHaveLength(1);
  });
});

test('a denied request gets nothing, and is not approved afterwards', () => {
  const cluster = asked({ authority });
  decide(cluster, 'Denied');
  expect(current(cluster).status?.certificate).toBeUndefined();
  expect(() => decide(cluster, 'Approved')).toThrow(
    'status.conditions: Forbidden: updates may not remove a condition of type "Denied"',
  );
});

describe('a request', () => {
  test('is of who made it, whatever it says', () => {
    const cluster = asked({}, { username: 'root', groups: ['system:masters'], uid: '0' });
    expect(current(cluster).spec).toMatchObject({
      username: 'ann',
      uid: '7',
      groups: ['devs'],
      extra: { from: ['here'] },
    });
  });

  test('for system:masters is refused', async () => {
    const masters = await certificateRequest('eve', ['system:masters']);
    expect(() => asked({}, { request: masters })).toThrow(
      'certificatesigningrequests.certificates.k8s.io "ann" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    );
  });

  test.each<[string, Partial<CertificateSigningRequest['spec']>, string]>([
    ['what is no PEM', { request: btoa('x') }, 'PEM block type must be CERTIFICATE REQUEST'],
    ['no usages', { usages: [] }, 'spec.usages: Required value'],
    ['an unknown usage', { usages: ['fun'] }, 'spec.usages[0]: Unsupported value: "fun"'],
    ['a usage twice', { usages: ['client auth', 'client auth'] }, 'spec.usages[1]: Duplicate value: "client auth"'],
    ['no signer', { signerName: '' }, 'spec.signerName: Required value'],
    ['a signer without a domain', { signerName: 'x' }, 'must be a fully qualified domain and path'],
    ['the legacy signer', { signerName: 'kubernetes.io/legacy-unknown' }, 'the legacy signerName is not allowed'],
    ['too short a life', { expirationSeconds: 599 }, 'may not specify a duration less than 600 seconds (10 minutes)'],
  ])('with %s is refused', (_what, spec, why) => {
    expect(() => asked({}, spec)).toThrow(why);
  });

  test('is approved only by who may approve for its signer', () => {
    const cluster = asked({ authority });
    expect(() => decide(cluster, 'Approved', ANN)).toThrow(
      'certificatesigningrequests.certificates.k8s.io "ann" is forbidden: user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"',
    );
    cluster.do((objects) => {
      objects.create(CLUSTER_ROLES, {
        apiVersion: `${RBAC_GROUP}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'approver' },
        rules: [
          {
            verbs: ['approve'],
            apiGroups: [CERTIFICATE_SIGNING_REQUESTS.group],
            resources: ['signers'],
            resourceNames: ['kubernetes.io/*'],
          },
        ],
      });
      objects.create(CLUSTER_ROLE_BINDINGS, {
        apiVersion: `${RBAC_GROUP}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'approver' },
        roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: 'approver' },
        subjects: [{ kind: 'User', name: 'ann' }],
      });
    });
    decide(cluster, 'Approved', ANN);
    expect(current(cluster).status?.certificate).toBeDefined();
  });
});
