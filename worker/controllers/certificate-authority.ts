/**
 * The cluster's CA as something that issues client certificates: X.509 version 3 with the subject, key and names of a
 * request. Synchronous; what a request asks for is read by `resources/certificate-request.ts`, who gets one is decided by
 * `certificate-signing.ts`.
 * Source: RFC 5280
 */
/// <reference path="./node-crypto.d.ts" />
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import {
  type CertificateRequest,
  type Element,
  elementsOf,
  InvalidRequest,
  identifierOf,
  pemBlock,
} from '../resources/certificate-request.ts';

export interface CertificateAuthority {
  /** @returns PEM. @throws InvalidRequest for a request that its own key did not sign. */
  issue(
    request: CertificateRequest,
    asked: { usages: readonly string[]; notBeforeMs: number; notAfterMs: number },
  ): string;
}

/** That of the configuration, made when a certificate is asked for, which is rare; undefined: there is none. */
export function configuredAuthority(certificatePem?: string, keyPem?: string): CertificateAuthority | undefined {
  if (!certificatePem || !keyPem) return undefined;
  return createCertificateAuthority(
    certificatePem,
    keyPem,
    () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32,
  );
}

/** @param random in [0, 1). @throws Error for what is no certificate, or no key. */
export function createCertificateAuthority(
  certificatePem: string,
  keyPem: string,
  random: () => number,
): CertificateAuthority {
  const key = createPrivateKey(keyPem);
  const block = pemBlock(certificatePem);
  if (block === undefined) throw new Error('the CA certificate must be PEM');
  const { subject, keyType, notAfterMs: endsMs } = authorityOf(block.bytes);
  const algorithm = ALGORITHMS[keyType];
  if (algorithm === undefined) throw new Error('the CA must have an RSA or an EC key');
  return {
    issue(request, { usages, notBeforeMs, notAfterMs }) {
      requireSignature(request);
      const body = sequence(
        der(0xa0, integer([2])),
        integer(serialNumber(random)),
        algorithm,
        subject,
        sequence(time(notBeforeMs), time(Math.min(notAfterMs, endsMs))),
        request.subject,
        request.publicKey,
        der(0xa3, sequence(...extensions(request, usages))),
      );
      const signature = sign('sha256', body, key);
      return pem('CERTIFICATE', sequence(body, algorithm, bitString(signature)));
    },
  };
}

// ---- Requests --------------------------------------------------------------------------------------------------------

/** Digests by signature algorithm; null where the key says. */
const DIGESTS: Record<string, string | null> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};

function requireSignature({ info, publicKey, signatureAlgorithm, signature }: CertificateRequest): void {
  const digest = DIGESTS[signatureAlgorithm];
  if (digest === undefined) throw new InvalidRequest(`unsupported signature algorithm ${signatureAlgorithm}`);
  const key = createPublicKey(pem('PUBLIC KEY', publicKey));
  if (!verify(digest, info, key, signature)) throw new InvalidRequest('unable to verify certificate request signature');
}

// ---- The authority's own certificate ---------------------------------------------------------------------------------

function authorityOf(certificate: Uint8Array): { subject: Uint8Array; keyType: string; notAfterMs: number } {
  const [outer] = elementsOf(certificate);
  const [body] = elementsOf(outer?.body ?? new Uint8Array());
  const fields = elementsOf(body?.body ?? new Uint8Array());
  // The version comes first where it is not 1.
  const from = fields[0]?.tag === 0xa0 ? 1 : 0;
  const [validity, subject, publicKey] = fields.slice(from + 3);
  const notAfter = elementsOf(validity?.body ?? new Uint8Array())[1];
  if (subject === undefined || notAfter === undefined) throw new Error('the CA certificate cannot be read');
  const [keyAlgorithm] = elementsOf(publicKey?.body ?? new Uint8Array());
  const keyType = identifierOf(elementsOf(keyAlgorithm?.body ?? new Uint8Array())[0]);
  return { subject: subject.raw, keyType, notAfterMs: timeOf(notAfter) };
}

function timeOf({ tag, body }: Element): number {
  const text = new TextDecoder().decode(body);
  const full = tag === UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

// ---- Extensions ------------------------------------------------------------------------------------------------------

const KEY_USAGE_BITS: Record<string, number> = { 'digital signature': 0x80, 'key encipherment': 0x20 };
const CLIENT_AUTH = [0x2b, 6, 1, 5, 5, 7, 3, 2];
const idCe = (last: number): number[] => [0x55, 0x1d, last];

function extensions({ alternativeNames }: CertificateRequest, usages: readonly string[]): Uint8Array[] {
  const bits = usages.reduce((all, usage) => all | (KEY_USAGE_BITS[usage] ?? 0), 0);
  return [
    ...(bits === 0 ? [] : [extension(idCe(15), der(0x03, Uint8Array.of(5, bits)), true)]),
    ...(usages.includes('client auth') ? [extension(idCe(37), sequence(identifier(CLIENT_AUTH)))] : []),
    extension(idCe(19), sequence(), true),
    ...(alternativeNames === undefined ? [] : [extension(idCe(17), alternativeNames)]),
  ];
}

function extension(id: readonly number[], value: Uint8Array, critical = false): Uint8Array {
  const flag = critical ? [der(0x01, Uint8Array.of(0xff))] : [];
  return sequence(identifier(id), ...flag, der(0x04, value));
}

// ---- DER -------------------------------------------------------------------------------------------------------------

const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 + digits.length, ...digits];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const sequence = (...parts: readonly Uint8Array[]): Uint8Array => der(0x30, ...parts);
const integer = (bytes: readonly number[]): Uint8Array => der(0x02, Uint8Array.from(bytes));
const identifier = (bytes: readonly number[]): Uint8Array => der(0x06, Uint8Array.from(bytes));
const bitString = (bytes: Uint8Array): Uint8Array => der(0x03, Uint8Array.of(0), bytes);

/** Positive, and of 127 bits that nobody can guess. */
const serialNumber = (random: () => number): number[] =>
  Array.from(
    { length: 16 },
    (_, index) => (index === 0 ? 0x40 : 0) | Math.floor(random() * (index === 0 ? 0x40 : 0x100)),
  );

function time(ms: number): Uint8Array {
  const text = `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  const early = Number(text.slice(0, 4)) < 2050;
  return der(early ? UTC_TIME : GENERALIZED_TIME, new TextEncoder().encode(early ? text.slice(2) : text));
}

/** What the certificate is signed with, by the type of the authority's key: with SHA-256. */
const ALGORITHMS: Record<string, Uint8Array | undefined> = {
  '1.2.840.113549.1.1.1': sequence(identifier([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]), der(0x05)),
  '1.2.840.10045.2.1': sequence(identifier([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])),
};

function pem(label: string, bytes: Uint8Array): string {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return `-----BEGIN ${label}-----\n${(text.match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;
}
