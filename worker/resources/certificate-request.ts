/**
 * PKCS #10 requests as certificates.k8s.io needs them: PEM, then as much of the DER as says whose certificate is asked for.
 * Synchronous, because validation and the signing controller are; `@peculiar/x509` is not.
 * Source: RFC 2986, RFC 7468
 */
import { base64ErrorAt, decodeBase64 } from './base64.ts';

/** One DER element of a definite length. */
export interface Element {
  tag: number;
  /** With tag and length. */
  raw: Uint8Array;
  body: Uint8Array;
}

export interface CertificateRequest {
  /** What is signed. */
  info: Uint8Array;
  /** DER, to be copied. */
  subject: Uint8Array;
  publicKey: Uint8Array;
  commonName: string;
  organizations: string[];
  /** DER of the requested SubjectAltName's value; undefined when none is asked for. */
  alternativeNames: Uint8Array | undefined;
  signatureAlgorithm: string;
  signature: Uint8Array;
}

export class InvalidRequest extends Error {}

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;

/** @throws InvalidRequest */
export function elementsOf(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? -1;
    let start = at + 2;
    if (length > 0x84 || length === 0x80) throw new InvalidRequest('asn1: structure error: unsupported length');
    if (length > 0x80) {
      const count = length - 0x80;
      length = bytes.subarray(start, start + count).reduce((sum, byte) => sum * 256 + byte, 0);
      start += count;
    }
    const end = start + length;
    if (length < 0 || end > bytes.length) throw new InvalidRequest('asn1: syntax error: data truncated');
    elements.push({ tag, raw: bytes.subarray(at, end), body: bytes.subarray(start, end) });
    at = end;
  }
  return elements;
}

function sequence(element: Element | undefined): Element[] {
  if (element?.tag !== SEQUENCE) throw new InvalidRequest('asn1: structure error: tags don’t match');
  return elementsOf(element.body);
}

export function identifierOf(element: Element | undefined): string {
  if (element?.tag !== OBJECT_IDENTIFIER) throw new InvalidRequest('asn1: structure error: no object identifier');
  const [first = 0, ...rest] = element.body;
  const parts = [Math.floor(first / 40), first % 40];
  let value = 0;
  for (const byte of rest) {
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      parts.push(value);
      value = 0;
    }
  }
  return parts.join('.');
}

const PEM = /^\s*-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]*)-----END \1-----/;

/** The first PEM block of a text. */
export function pemBlock(text: string): { label: string; bytes: Uint8Array } | undefined {
  const [, label, body] = PEM.exec(text) ?? [];
  if (label === undefined || body === undefined) return undefined;
  const base64 = body.replace(/\s/g, '');
  // As Go's pem.Decode: a block whose bytes cannot be read is none.
  return base64ErrorAt(base64) === undefined ? { label, bytes: decodeBase64(base64) } : undefined;
}

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';

/** @param request base64 of PEM, as spec.request. @throws InvalidRequest */
export function parseCertificateRequest(request: string): CertificateRequest {
  const block = pemBlock(new TextDecoder().decode(decodeBase64(request)));
  if (block?.label !== 'CERTIFICATE REQUEST') throw new InvalidRequest('PEM block type must be CERTIFICATE REQUEST');
  const [outer, ...trailing] = elementsOf(block.bytes);
  if (trailing.length > 0) throw new InvalidRequest('asn1: syntax error: trailing data');
  const [info, algorithm, signature] = sequence(outer);
  const [, subject, publicKey, attributes] = sequence(info);
  if (info === undefined || subject === undefined || publicKey?.tag !== SEQUENCE || signature?.tag !== 0x03) {
    throw new InvalidRequest('asn1: structure error: not a certificate request');
  }
  const names = sequence(subject).flatMap((set) => elementsOf(set.body).map(nameOf));
  return {
    info: info.raw,
    subject: subject.raw,
    publicKey: publicKey.raw,
    commonName: names.find(({ type }) => type === COMMON_NAME)?.value ?? '',
    organizations: names.filter(({ type }) => type === ORGANIZATION).map(({ value }) => value),
    alternativeNames: alternativeNamesOf(attributes),
    signatureAlgorithm: identifierOf(sequence(algorithm)[0]),
    // The first byte of a bit string says how many bits of the last are not used.
    signature: signature.body.subarray(1),
  };
}

function nameOf(element: Element): { type: string; value: string } {
  const [type, value] = sequence(element);
  return { type: identifierOf(type), value: new TextDecoder().decode(value?.body) };
}

function alternativeNamesOf(attributes: Element | undefined): Uint8Array | undefined {
  for (const attribute of attributes === undefined ? [] : elementsOf(attributes.body)) {
    const [type, values] = sequence(attribute);
    if (identifierOf(type) !== EXTENSION_REQUEST || values === undefined) continue;
    for (const extension of sequence(elementsOf(values.body)[0])) {
      const parts = sequence(extension);
      if (identifierOf(parts[0]) === SUBJECT_ALT_NAME) return parts.at(-1)?.body;
    }
  }
  return undefined;
}
