/**
 * Who asks for a certificate is what the server saw, not what a manifest says; approving and signing take rights on the
 * signer, besides those on the request.
 * Source: kubernetes, plugin/pkg/admission/certificates
 */
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
  CLIENT_SIGNER,
} from '../../shared/api/certificates.ts';
import { forbidden } from '../../shared/errors.ts';
import { InvalidRequest, parseCertificateRequest } from '../resources/certificate-request.ts';
import { equalJson } from './json.ts';
import { compilePolicy } from './rbac/policy.ts';
import type { Session } from './session.ts';
import type { Write } from './write.ts';

/** @throws StatusError 403. For other resources it does nothing. */
export function admitCertificateRequest(session: Session, write: Write): void {
  const { definition, operation, subresource, draft, current } = write;
  if (definition.identity.group !== CERTIFICATE_SIGNING_REQUESTS.group || draft === undefined) return;
  if (definition.identity.kind !== CERTIFICATE_SIGNING_REQUESTS.kind) return;
  const request = draft as CertificateSigningRequest;
  if (operation === 'CREATE') {
    setRequester(session, request);
    forbidMasters(write, request);
  } else if (subresource === 'approval') requireOnSigner(session, write, request, 'approve');
  else if (subresource === 'status') {
    const before = current as CertificateSigningRequest | undefined;
    if (!equalJson(outcomeOf(request), outcomeOf(before))) requireOnSigner(session, write, request, 'sign');
  }
}

function setRequester({ user }: Session, request: CertificateSigningRequest): void {
  const { username, uid, groups, extra } = user;
  Object.assign(request.spec, { username, groups: [...groups] });
  if (uid === undefined) delete request.spec.uid;
  else request.spec.uid = uid;
  if (extra === undefined) delete request.spec.extra;
  else request.spec.extra = structuredClone(extra);
}

function forbidMasters({ definition, name }: Write, { spec }: CertificateSigningRequest): void {
  if (spec.signerName !== CLIENT_SIGNER || !organizationsOf(spec.request).includes('system:masters')) return;
  const why = `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`;
  throw forbidden(definition.identity, name, why);
}

/** None for what is no request: validation, which comes next, says so. */
function organizationsOf(request: string): string[] {
  try {
    return parseCertificateRequest(request).organizations;
  } catch (error) {
    if (error instanceof InvalidRequest) return [];
    throw error;
  }
}

const outcomeOf = (request: CertificateSigningRequest | undefined): unknown => [
  request?.status?.certificate ?? '',
  request?.status?.conditions?.find((each) => each.type === 'Failed') ?? null,
];

function requireOnSigner(
  session: Session,
  { definition, name }: Write,
  { spec }: CertificateSigningRequest,
  verb: 'approve' | 'sign',
): void {
  const { user } = session;
  if (user.groups.includes('system:masters')) return;
  const policy = compilePolicy(session.transaction);
  const domain = spec.signerName.slice(0, spec.signerName.indexOf('/'));
  const permitted = [spec.signerName, `${domain}/*`].some((signer) => {
    const request = { verb, isResource: true, group: definition.identity.group, resource: 'signers', subresource: '' };
    return policy.decide(user, { ...request, namespace: '', name: signer, path: '' }).allowed;
  });
  if (permitted) return;
  const what = verb === 'approve' ? 'approve requests' : 'sign requests';
  const why = `user not permitted to ${what} with signerName ${JSON.stringify(spec.signerName)}`;
  throw forbidden(definition.identity, name, why);
}
