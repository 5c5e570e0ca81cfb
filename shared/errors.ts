/**
 * Every failure that a user can see, as a Kubernetes Status. Code below HTTP throws a StatusError; exactly one place
 * (`worker/http/app.ts`) turns it into a response. Texts are upstream's, because people and tools match on them.
 * Source: k8s.io/apimachinery/pkg/api/errors, pkg/util/validation/field.
 */
import { groupResourceOf, type Identity, type Status, type StatusCause } from './api/meta.ts';

type Named = Pick<Identity, 'group' | 'resource'>;
type Kinded = Pick<Identity, 'group' | 'kind'>;

export class StatusError extends Error {
  readonly status: Status;

  constructor(code: number, reason: string, message: string, details?: Status['details']) {
    super(message);
    this.name = 'StatusError';
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details ? { details } : {}),
      code,
    };
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): string {
    return this.status.reason ?? '';
  }
}

const detailsOf = (resource: Named, name: string): Status['details'] => ({
  ...(name === '' ? {} : { name }),
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.resource,
});

export const notFound = (resource: Named, name: string) =>
  new StatusError(404, 'NotFound', `${groupResourceOf(resource)} "${name}" not found`, detailsOf(resource, name));

/** No route: the path names nothing that is served. */
export const noSuchPath = () =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

export const alreadyExists = (resource: Named, name: string) =>
  new StatusError(
    409,
    'AlreadyExists',
    `${groupResourceOf(resource)} "${name}" already exists`,
    detailsOf(resource, name),
  );

export const conflict = (resource: Named, name: string, why: string) =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${groupResourceOf(resource)} "${name}": ${why}`,
    detailsOf(resource, name),
  );

export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

/** Gone from history: `Expired`, which clients answer with a fresh list. */
export const expired = (message: string) => new StatusError(410, 'Expired', message);

export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message);

export const unauthorized = () => new StatusError(401, 'Unauthorized', 'Unauthorized');

export const forbidden = (resource: Named, name: string, why: string) =>
  new StatusError(
    403,
    'Forbidden',
    name === ''
      ? `${groupResourceOf(resource)} is forbidden: ${why}`
      : `${groupResourceOf(resource)} "${name}" is forbidden: ${why}`,
    detailsOf(resource, name),
  );

export const methodNotAllowed = (resource: Named, verb: string) =>
  new StatusError(
    405,
    'MethodNotAllowed',
    `${verb} is not supported on resources of kind "${groupResourceOf(resource)}"`,
    detailsOf(resource, ''),
  );

export const notAcceptable = (accepted: readonly string[]) =>
  new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);

export const unsupportedMediaType = (accepted: readonly string[]) =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

export const tooLarge = (message: string) => new StatusError(413, 'RequestEntityTooLarge', message);

export const tooManyRequests = (message: string, retryAfterSeconds: number) =>
  new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds });

export const internalError = (message: string) =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });

export const serviceUnavailable = (message: string) => new StatusError(503, 'ServiceUnavailable', message);

export const resourceVersionTooLarge = (asked: number, current: number) =>
  new StatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

/** 422 with every cause; the message lists them as upstream's field.ErrorList does. */
export function invalid(kind: Kinded, name: string, causes: readonly StatusCause[]): StatusError {
  const lines = causes.map((cause) => (cause.field ? `${cause.field}: ${cause.message}` : (cause.message ?? '')));
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  return new StatusError(422, 'Invalid', `${qualified} "${name}" is invalid: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: [...causes],
  });
}

// ---- Causes: field.Required, field.Invalid … ---------------------------------------------------------------------

export const required = (field: string, detail = ''): StatusCause => ({
  reason: 'FieldValueRequired',
  message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  field,
});

export const invalidValue = (field: string, value: unknown, detail: string): StatusCause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value) ?? 'null'}: ${detail}`,
  field,
});

export const notSupported = (field: string, value: unknown, supported: readonly string[]): StatusCause => ({
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((each) => JSON.stringify(each)).join(', ')}`,
  field,
});

export const forbiddenField = (field: string, detail: string): StatusCause => ({
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${detail}`,
  field,
});

export const duplicateValue = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${JSON.stringify(value)}`,
  field,
});

export const notFoundValue = (field: string, value: unknown): StatusCause => ({
  reason: 'FieldValueNotFound',
  message: `Not found: ${JSON.stringify(value)}`,
  field,
});

export const tooLongValue = (field: string, max: number): StatusCause => ({
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${max} bytes`,
  field,
});
