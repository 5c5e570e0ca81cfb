/**
 * The cluster's own certificate authority and the API server's certificate: made at first start, kept, and renewed when a
 * name is missing or the end is near. kubectl sends no token over plain HTTP, so the API is never without them.
 * Which names are wanted: `host-names.ts`.
 */
import 'reflect-metadata';
import { randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as ParsedCertificate,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Layout } from './layout.ts';
import { writeSecretFile } from './secret-file.ts';

/** PEM texts. */
export interface KeyPair {
  certificate: string;
  privateKey: string;
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const SERVER_DAYS = 365;
const RENEW_BEFORE_DAYS = 30;

const serialNumber = () => `01${randomBytes(15).toString('hex')}`;

async function exportKey(key: CryptoKey): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

export async function createAuthority(nowMs: number, name = 'longshore'): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + AUTHORITY_DAYS * DAY_MS),
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, privateKey: await exportKey(keys.privateKey) };
}

/** @param names DNS names and IP addresses. */
export async function issueServerCertificate(
  authority: KeyPair,
  names: readonly string[],
  nowMs: number,
): Promise<KeyPair> {
  const issuer = new ParsedCertificate(authority.certificate);
  const signingKey = await crypto.subtle.importKey(
    'pkcs8',
    PemConverter.decodeFirst(authority.privateKey),
    CURVE,
    false,
    ['sign'],
  );
  const keys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=kube-apiserver',
    issuer: issuer.subject,
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + SERVER_DAYS * DAY_MS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
      ),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, privateKey: await exportKey(keys.privateKey) };
}

const covers = (certificate: X509Certificate, name: string) =>
  (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;

/** Whether a server certificate of this authority still serves all these names for a while. */
export function isStillGood(pem: string, authorityPem: string, names: readonly string[], nowMs: number): boolean {
  const certificate = new X509Certificate(pem);
  return (
    certificate.verify(new X509Certificate(authorityPem).publicKey) &&
    Date.parse(certificate.validTo) > nowMs + RENEW_BEFORE_DAYS * DAY_MS &&
    names.every((name) => covers(certificate, name))
  );
}

export type CertificateFiles = Pick<Layout, 'pki' | 'caCertificate' | 'caKey' | 'serverCertificate' | 'serverKey'>;

/** Makes what is missing or stale on disk, keeps the rest. The authority is never replaced: clients trust it. */
export async function ensureCertificates(
  layout: CertificateFiles,
  names: readonly string[],
  nowMs: number,
  authorityName?: string,
): Promise<void> {
  mkdirSync(layout.pki, { recursive: true, mode: 0o700 });
  if (!existsSync(layout.caCertificate) || !existsSync(layout.caKey)) {
    const made = await createAuthority(nowMs, authorityName);
    writeSecretFile(layout.caKey, made.privateKey);
    writeSecretFile(layout.caCertificate, made.certificate);
  }
  const authority = {
    certificate: readFileSync(layout.caCertificate, 'utf8'),
    privateKey: readFileSync(layout.caKey, 'utf8'),
  };
  const have = existsSync(layout.serverCertificate) && existsSync(layout.serverKey);
  if (have && isStillGood(readFileSync(layout.serverCertificate, 'utf8'), authority.certificate, names, nowMs)) return;
  const server = await issueServerCertificate(authority, names, nowMs);
  writeSecretFile(layout.serverKey, server.privateKey);
  // The authority goes along, so that a joining minion can compare it with the hash in its join command.
  writeSecretFile(layout.serverCertificate, server.certificate + authority.certificate);
}
