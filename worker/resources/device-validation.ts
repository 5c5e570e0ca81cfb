/** What claims of devices and their templates share. Source: kubernetes, pkg/apis/resource/validation. */
import type { StatusCause } from '../../shared/api/meta.ts';
import type {
  DeviceRequest,
  DeviceSelector,
  ExactDeviceRequest,
  ResourceClaimSpec,
} from '../../shared/api/resource.ts';
import { duplicateValue, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { checkDNSLabel, checkDNSSubdomain } from './names.ts';

const MODES = ['All', 'ExactCount'];
export const MAX_SELECTORS = 32;
const MAX_REQUESTS = 32;

const tooMany = (path: string, count: number, most: number): StatusCause[] =>
  count > most
    ? [{ reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${most} items`, field: path }]
    : [];

export function validateSelectors(selectors: readonly DeviceSelector[] | undefined, path: string): StatusCause[] {
  const causes = tooMany(path, selectors?.length ?? 0, MAX_SELECTORS);
  for (const [index, selector] of (selectors ?? []).entries()) {
    if (!selector.cel) causes.push(required(`${path}[${index}].cel`));
    else if (!selector.cel.expression) causes.push(required(`${path}[${index}].cel.expression`));
  }
  return causes;
}

function validateRequest(request: ExactDeviceRequest, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const name = request.deviceClassName ?? '';
  if (name === '') causes.push(required(`${path}.deviceClassName`));
  else
    for (const message of checkDNSSubdomain(name)) causes.push(invalidValue(`${path}.deviceClassName`, name, message));
  causes.push(...validateSelectors(request.selectors, `${path}.selectors`));
  const mode = request.allocationMode ?? '';
  if (!MODES.includes(mode)) causes.push(notSupported(`${path}.allocationMode`, mode, MODES));
  if (mode === 'ExactCount' && (request.count ?? 0) <= 0) {
    causes.push(invalidValue(`${path}.count`, request.count ?? 0, 'must be greater than zero'));
  }
  if (mode === 'All' && (request.count ?? 0) !== 0) {
    causes.push(invalidValue(`${path}.count`, request.count, "must not be specified when allocationMode is 'All'"));
  }
  return causes;
}

function requestsOf({ exactly, firstAvailable }: DeviceRequest): ExactDeviceRequest[] {
  return [...(exactly ? [exactly] : []), ...(firstAvailable ?? [])];
}

export function defaultClaim(spec: ResourceClaimSpec | undefined): void {
  for (const request of (spec?.devices?.requests ?? []).flatMap(requestsOf)) {
    request.allocationMode ??= 'ExactCount';
    if (request.allocationMode === 'ExactCount') request.count ||= 1;
  }
}

export function validateClaim(spec: ResourceClaimSpec | undefined, path: string): StatusCause[] {
  const at = `${path}.devices`;
  const requests = spec?.devices?.requests ?? [];
  const names = new Set<string>();
  const causes = tooMany(`${at}.requests`, requests.length, MAX_REQUESTS);
  for (const [index, request] of requests.entries()) {
    const where = `${at}.requests[${index}]`;
    if (!request.name) causes.push(required(`${where}.name`));
    else
      for (const message of checkDNSLabel(request.name))
        causes.push(invalidValue(`${where}.name`, request.name, message));
    if (names.has(request.name)) causes.push(duplicateValue(where, request.name));
    names.add(request.name);
    const { exactly, firstAvailable = [] } = request;
    if (exactly && firstAvailable.length > 0) {
      causes.push(invalidValue(where, null, 'exactly one of `exactly` or `firstAvailable` must be specified'));
    } else if (exactly) causes.push(...validateRequest(exactly, `${where}.exactly`));
    else if (firstAvailable.length === 0) {
      causes.push(required(where, 'exactly one of `exactly` or `firstAvailable` must be specified'));
    }
    for (const [position, each] of firstAvailable.entries()) {
      causes.push(...validateRequest(each, `${where}.firstAvailable[${position}]`));
    }
  }
  for (const [index, constraint] of (spec?.devices?.constraints ?? []).entries()) {
    for (const [position, name] of (constraint.requests ?? []).entries()) {
      if (names.has(name.split('/')[0] ?? '')) continue;
      const why =
        "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
      causes.push(invalidValue(`${at}.constraints[${index}].requests[${position}]`, name, why));
    }
  }
  return causes;
}
