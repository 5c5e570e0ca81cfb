/**
 * Approved requests of `kubernetes.io/kube-apiserver-client` get their certificate, where the cluster has its CA's key. What
 * is not signed here says why in a condition: other people's signers are theirs, and are left alone.
 * Source: kubernetes, pkg/controller/certificates/signer
 */
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
  type CertificateSigningRequestCondition,
  CLIENT_SIGNER,
} from '../../shared/api/certificates.ts';
import { InvalidRequest, parseCertificateRequest } from '../resources/certificate-request.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { type Controller, source } from './controller.ts';

/** Kubernetes: whose clock is behind can use the certificate too. */
const BACKDATE_MS = 5 * 60_000;
const MAX_MS = 365 * 24 * 3600_000;
const CLIENT_USAGES = ['client auth', 'digital signature', 'key encipherment'];
/** Ours: upstream's signers always have a key. */
const NOT_SIGNED = 'SigningUnavailable';

/** Keys are names. @param authority undefined where the key is not at hand. */
export function createCertificateSigning(authority: () => CertificateAuthority | undefined): Controller {
  return {
    name: 'certificate-signing',
    account: 'certificate-controller',
    sources: [
      source(CERTIFICATE_SIGNING_REQUESTS, ({ type, object }) =>
        type !== 'DELETED' && awaitsUs(object) ? [object.metadata.name] : [],
      ),
    ],
    reconcile(name, { objects, nowMs }) {
      const request = objects.get(CERTIFICATE_SIGNING_REQUESTS, '', name);
      if (request === undefined || !awaitsUs(request)) return;
      objects.updateStatus(CERTIFICATE_SIGNING_REQUESTS, {
        ...request,
        status: outcomeOf(request, authority(), nowMs),
      });
    },
  };
}

function awaitsUs({ spec, status }: CertificateSigningRequest): boolean {
  const { conditions = [], certificate } = status ?? {};
  const has = (type: string) => conditions.some((each) => each.type === type);
  if (!spec.signerName.startsWith('kubernetes.io/') || certificate) return false;
  return has('Approved') && !has('Denied') && !has('Failed') && !has(NOT_SIGNED);
}

type Status = NonNullable<CertificateSigningRequest['status']>;

function outcomeOf(
  { spec, status = {} }: CertificateSigningRequest,
  authority: CertificateAuthority | undefined,
  nowMs: number,
): Status {
  const ends = (type: string, reason: string, message: string): Status => {
    const condition: CertificateSigningRequestCondition = { type, status: 'True', reason, message };
    return { ...status, conditions: [...(status.conditions ?? []), condition] };
  };
  if (spec.signerName !== CLIENT_SIGNER) {
    const message = `${spec.signerName} signs nothing here: minions have tokens, and serve nothing that could be dialled`;
    return ends(NOT_SIGNED, 'SignerNotServed', message);
  }
  if (authority === undefined) {
    return ends(NOT_SIGNED, 'NoCertificateAuthorityKey', 'the control plane was not given the key of its CA (CA_KEY)');
  }
  const { usages = [] } = spec;
  if (!usages.includes('client auth') || usages.some((each) => !CLIENT_USAGES.includes(each))) {
    const message = `usages did not match: ${CLIENT_SIGNER} signs "client auth", with "digital signature" and "key encipherment"`;
    return ends('Failed', 'SignerValidationFailure', message);
  }
  const wantedMs = spec.expirationSeconds === undefined ? MAX_MS : spec.expirationSeconds * 1000;
  const times = { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + Math.min(wantedMs, MAX_MS) };
  try {
    const certificate = authority.issue(parseCertificateRequest(spec.request), { usages, ...times });
    return { ...status, certificate: btoa(certificate) };
  } catch (error) {
    if (error instanceof InvalidRequest) return ends('Failed', 'SignerValidationFailure', error.message);
    throw error;
  }
}
