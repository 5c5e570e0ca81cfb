/** `certificates.k8s.io/v1`. Source: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/ */
import type { Condition, Identity, KubeObject } from './meta.ts';

export interface CertificateSigningRequestCondition extends Condition {
  type: 'Approved' | 'Denied' | 'Failed' | (string & {});
  lastUpdateTime?: string;
}

export interface CertificateSigningRequest extends KubeObject {
  spec: {
    /** Base64 of a PEM block CERTIFICATE REQUEST. */
    request: string;
    signerName: string;
    expirationSeconds?: number;
    usages?: string[];
    /** Who asks: set by the server. */
    username?: string;
    uid?: string;
    groups?: string[];
    extra?: Record<string, string[]>;
  };
  status?: {
    conditions?: CertificateSigningRequestCondition[];
    /** Base64 of PEM blocks CERTIFICATE. */
    certificate?: string;
  };
}
export const CERTIFICATE_SIGNING_REQUESTS: Identity<CertificateSigningRequest> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  resource: 'certificatesigningrequests',
  kind: 'CertificateSigningRequest',
  namespaced: false,
};

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
