/**
 * `certificates.k8s.io/v1 CertificateSigningRequest`. Who may approve and sign is `registry/certificates.ts`.
 * Source: kubernetes, pkg/apis/certificates/validation and pkg/registry/certificates/certificates
 */
import {
  CERTIFICATE_SIGNING_REQUESTS,
  type CertificateSigningRequest,
  type CertificateSigningRequestCondition,
} from '../../shared/api/certificates.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { formatAge, formatTime } from '../../shared/time.ts';
import { decodeBase64 } from './base64.ts';
import { InvalidRequest, parseCertificateRequest, pemBlock } from './certificate-request.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition, WriteContext } from './definition.ts';
import { checkDNSSubdomain } from './names.ts';
import { ALL_VERBS } from './verbs.ts';

type Request = CertificateSigningRequest;

const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';
/** Known conditions are true or not there. */
const ALWAYS_TRUE = ['Approved', 'Denied', 'Failed'];
const MIN_SECONDS = 600;

function validate(draft: Draft<Request>): StatusCause[] {
  const { request, signerName, usages = [], expirationSeconds } = draft.spec ?? {};
  const causes: StatusCause[] = [];
  const why = whyUnreadable(request ?? '');
  if (why !== undefined) causes.push(invalidValue('spec.request', request ?? '', why));
  if (usages.length === 0) causes.push(required('spec.usages', 'usages must contain at least one value'));
  usages.forEach((usage, index) => {
    if (!USAGES.includes(usage)) causes.push(notSupported(`spec.usages[${index}]`, usage, USAGES));
    else if (usages.indexOf(usage) !== index) causes.push(duplicateValue(`spec.usages[${index}]`, usage));
  });
  causes.push(...validateSignerName(signerName ?? ''));
  if (expirationSeconds !== undefined && expirationSeconds < MIN_SECONDS) {
    const least = 'may not specify a duration less than 600 seconds (10 minutes)';
    causes.push(invalidValue('spec.expirationSeconds', expirationSeconds, least));
  }
  return [...causes, ...validateConditions(draft.status?.conditions ?? [])];
}

function whyUnreadable(request: string): string | undefined {
  try {
    parseCertificateRequest(request);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidRequest) return error.message;
    throw error;
  }
}

function validateSignerName(name: string): StatusCause[] {
  const field = 'spec.signerName';
  if (name === '') return [required(field)];
  if (name === LEGACY_SIGNER) {
    return [invalidValue(field, name, 'the legacy signerName is not allowed via this API version')];
  }
  const slash = name.indexOf('/');
  if (slash === -1) {
    return [
      invalidValue(field, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  }
  const [domain, path] = [name.slice(0, slash), name.slice(slash + 1)];
  if (!domain.includes('.'))
    return [invalidValue(field, name, 'should be a domain with at least two segments separated by dots')];
  return [...checkDNSSubdomain(domain), ...path.split('/').flatMap(checkDNSSubdomain)].map((why) =>
    invalidValue(field, name, why),
  );
}

function validateConditions(conditions: readonly CertificateSigningRequestCondition[]): StatusCause[] {
  const causes: StatusCause[] = [];
  conditions.forEach(({ type, status }, index) => {
    const field = `status.conditions[${index}]`;
    if (!type) causes.push(required(`${field}.type`));
    if (conditions.findIndex((each) => each.type === type) !== index)
      causes.push(duplicateValue(`${field}.type`, type));
    if (ALWAYS_TRUE.includes(type) && status !== 'True') causes.push(notSupported(`${field}.status`, status, ['True']));
  });
  const has = (type: string) => conditions.some((each) => each.type === type);
  if (has('Approved') && has('Denied')) {
    causes.push(invalidValue('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive'));
  }
  return causes;
}

/** What is decided stays decided, and what is issued stays issued. */
function validateChange(draft: Request, current: Request): StatusCause[] {
  const { conditions = [], certificate } = draft.status ?? {};
  const causes = validateConditions(conditions);
  for (const { type } of current.status?.conditions ?? []) {
    if (ALWAYS_TRUE.includes(type) && !conditions.some((each) => each.type === type)) {
      causes.push(
        forbiddenField('status.conditions', `updates may not remove a condition of type ${JSON.stringify(type)}`),
      );
    }
  }
  const before = current.status?.certificate;
  if (certificate === before) return causes;
  if (before)
    return [...causes, invalidValue('status.certificate', certificate ?? '', 'updates may not change a certificate')];
  const block = pemBlock(new TextDecoder().decode(decodeBase64(certificate ?? '')));
  if (block?.label !== 'CERTIFICATE') {
    causes.push(invalidValue('status.certificate', '<certificate data>', 'must contain only CERTIFICATE PEM blocks'));
  }
  return causes;
}

const DECIDED = ['Approved', 'Denied'];

/** Each condition with the times that its author left out. */
function timed(
  conditions: readonly CertificateSigningRequestCondition[],
  current: Request,
  { nowMs }: WriteContext,
): CertificateSigningRequestCondition[] {
  return conditions.map((condition) => {
    const before = current.status?.conditions?.find((each) => each.type === condition.type);
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return {
      ...condition,
      lastUpdateTime: condition.lastUpdateTime ?? formatTime(nowMs),
      lastTransitionTime: condition.lastTransitionTime ?? since ?? formatTime(nowMs),
    };
  });
}

function conditionText({ status }: Request): string {
  const { conditions = [], certificate } = status ?? {};
  const has = (type: string) => conditions.some((each) => each.type === type);
  const decided = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return [decided, ...(has('Failed') ? ['Failed'] : []), ...(certificate ? ['Issued'] : [])].join(',');
}

const COLUMN = 'The certificate signing request';

export const CERTIFICATE_SIGNING_REQUESTS_DEFINITION: ResourceDefinition<Request> = {
  identity: CERTIFICATE_SIGNING_REQUESTS,
  singular: 'certificatesigningrequest',
  listKind: 'CertificateSigningRequestList',
  shortNames: ['csr'],
  verbs: ALL_VERBS,
  subresources: ['approval', 'status'],
  schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  generation: false,
  unconditionalUpdate: true,
  prepareCreate: (draft) => {
    draft.status = {};
  },
  prepareUpdate: (draft, current) => {
    draft.spec = current.spec;
  },
  validate,
  validateStatus: validateChange,
  composePart(part, incoming, stored, context) {
    const conditions = incoming.status?.conditions ?? [];
    if (part === 'approval') {
      return { ...stored, status: { ...stored.status, conditions: timed(conditions, stored, context) } };
    }
    // Kubernetes: /status leaves to /approval what is approval's.
    const kept = (stored.status?.conditions ?? []).filter((each) => DECIDED.includes(each.type));
    const others = conditions.filter((each) => !DECIDED.includes(each.type));
    return { ...stored, status: { ...incoming.status, conditions: [...kept, ...timed(others, stored, context)] } };
  },
  fields: (object) => ({ 'spec.signerName': object.spec.signerName }),
  columns: [
    NAME,
    AGE,
    text<Request>('SignerName', `${COLUMN}'s signer`, (object) => object.spec.signerName),
    text<Request>('Requestor', `${COLUMN}'s author`, (object) => object.spec.username ?? ''),
    text<Request>('RequestedDuration', `${COLUMN}'s wanted lifetime`, ({ spec }) =>
      spec.expirationSeconds === undefined ? '<none>' : formatAge(spec.expirationSeconds * 1000),
    ),
    text<Request>('Condition', `${COLUMN}'s state`, conditionText),
  ],
};
