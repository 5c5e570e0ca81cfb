/**
 * The minion's own authority and the certificate by which it answers pods as `kubernetes.default.svc`: kept with the
 * agent's state, so that pods which outlive an agent go on trusting the next one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULTS } from '../../shared/defaults.ts';
import { type CertificateFiles, ensureCertificates } from './control-plane/certificates.ts';

export interface PodCertificates {
  /** PEM texts. */
  authority: string;
  certificate: string;
  privateKey: string;
}

const NAMES = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  `kubernetes.default.svc.${DEFAULTS.clusterDomain}`,
  DEFAULTS.apiServiceIP,
];

/** Makes what is missing or about to end. */
export async function podCertificates(dataDir: string, nodeName: string, nowMs: number): Promise<PodCertificates> {
  const at = (...path: string[]) => join(dataDir, 'pki', ...path);
  const files: CertificateFiles = {
    pki: at(),
    caCertificate: at('pods-ca.crt'),
    caKey: at('pods-ca.key'),
    serverCertificate: at('kubernetes.crt'),
    serverKey: at('kubernetes.key'),
  };
  // Of its own name: OpenSSL looks authorities up by it, and the cluster's is in the same file.
  await ensureCertificates(files, NAMES, nowMs, `longshore-minion-${nodeName}`.slice(0, 64));
  return {
    authority: readFileSync(files.caCertificate, 'utf8'),
    certificate: readFileSync(files.serverCertificate, 'utf8'),
    privateKey: readFileSync(files.serverKey, 'utf8'),
  };
}
