/** The signing of certificates with what workerd has for cryptography; what is signed is tested on Node. */
import 'reflect-metadata';
import { PemConverter, X509Certificate, X509CertificateGenerator } from '@peculiar/x509';
import { expect, test } from 'vitest';
import { createCertificateAuthority } from '../../worker/controllers/certificate-authority.ts';
import { parseCertificateRequest } from '../../worker/resources/certificate-request.ts';
import { certificateRequest } from '../support/certificate-request.ts';

const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
} as const;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

test.each([
  ['an EC key', EC],
  ['an RSA key', RSA],
])('workerd issues a certificate with %s', async (_what, algorithm) => {
  const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=authority',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(0),
    notAfter: new Date(4e12),
  });
  const key = PemConverter.encode(
    (await crypto.subtle.exportKey('pkcs8', keys.privateKey)) as ArrayBuffer,
    'PRIVATE KEY',
  );
  const authority = createCertificateAuthority(ca.toString('pem'), key, Math.random);
  const request = parseCertificateRequest(await certificateRequest('ann', ['devs']));
  expect(request).toMatchObject({ commonName: 'ann', organizations: ['devs'] });
  const issued = new X509Certificate(
    authority.issue(request, { usages: ['client auth'], notBeforeMs: 1e12, notAfterMs: 3e12 }),
  );
  expect(await issued.verify({ publicKey: ca, date: new Date(2e12) })).toBe(true);
  expect(issued.issuer).toBe('CN=authority');
  expect(issued.subject).toBe('CN=ann, O=devs');
  expect(issued.notAfter.getTime()).toBe(3e12);
});
