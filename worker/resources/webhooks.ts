/**
 * What mutating and validating webhook configurations share: defaults and rules of one webhook. The kinds themselves are
 * `mutatingwebhookconfigurations.ts` and `validatingwebhookconfigurations.ts`; calling webhooks is `http/webhook-calls.ts`.
 * Source: kubernetes, pkg/apis/admissionregistration/validation; apiserver, pkg/util/webhook/validation.go
 */
import type { ValidatingWebhook, WebhookClientConfig } from '../../shared/api/admissionregistration.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { webhookEnvironment } from './admission-cel.ts';
import {
  defaultRule,
  FAILURE_POLICIES,
  MATCH_POLICIES,
  validateMatchConditions,
  validateRule,
} from './admission-rules.ts';
import { validateLabelSelector } from './metadata-validation.ts';
import { checkDNS1035Label, checkDNSSubdomain, checkPort } from './names.ts';

const TIMEOUT_SECONDS = 10;
const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const URL_FORM = '; desired format: https://host[/path]';

export function defaultWebhook(webhook: ValidatingWebhook): void {
  webhook.failurePolicy ||= 'Fail';
  webhook.matchPolicy ||= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= TIMEOUT_SECONDS;
  const service = webhook.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
  for (const rule of webhook.rules ?? []) defaultRule(rule);
}

function validateName(name: string, path: string): StatusCause[] {
  if (name === '') return [required(path)];
  const problems = checkDNSSubdomain(name);
  if (problems.length > 0) return problems.map((message) => invalidValue(path, name, message));
  const short = name.split('.').length < 3;
  return short ? [invalidValue(path, name, 'should be a domain with at least three segments separated by dots')] : [];
}

function validateUrl(text: string, path: string): StatusCause[] {
  const url = URL.parse(text);
  if (url === null)
    return [
      required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URI for request${URL_FORM}`),
    ];
  const causes: StatusCause[] = [];
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== 'https') causes.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${URL_FORM}`));
  if (url.host === '') causes.push(invalidValue(path, '', `host must be specified${URL_FORM}`));
  if (url.username !== '')
    causes.push(invalidValue(path, url.username, 'user information is not permitted in the URL'));
  if (url.hash !== '') causes.push(invalidValue(path, url.hash.slice(1), 'fragments are not permitted in the URL'));
  if (url.search !== '') {
    causes.push(invalidValue(path, url.search.slice(1), 'query parameters are not permitted in the URL'));
  }
  return causes;
}

function validateServicePath(text: string, path: string): StatusCause[] {
  if (text === '' || text === '/') return [];
  if (text === '//') return [invalidValue(path, text, 'segment[0] may not be empty')];
  if (!text.startsWith('/')) return [invalidValue(path, text, "must start with a '/'")];
  return text
    .replace(/^\//, '')
    .replace(/\/$/, '')
    .split('/')
    .flatMap((segment, index) => {
      if (segment === '') return [invalidValue(path, text, `segment[${index}] may not be empty`)];
      return checkDNSSubdomain(segment).map((why) => invalidValue(path, text, `segment[${index}]: ${why}`));
    });
}

/** Also of conversion webhooks. */
export function validateClientConfig(config: WebhookClientConfig, path: string): StatusCause[] {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) {
    return [required(path, 'exactly one of url or service is required')];
  }
  if (url !== undefined) return validateUrl(url, `${path}.url`);
  const causes: StatusCause[] = [];
  if (!service?.name) causes.push(required(`${path}.service.name`, 'service name is required'));
  if (!service?.namespace) causes.push(required(`${path}.service.namespace`, 'service namespace is required'));
  const port = service?.port ?? 443;
  for (const why of checkPort(port))
    causes.push(invalidValue(`${path}.service.port`, port, `port is not valid: ${why}`));
  if (service?.path !== undefined) causes.push(...validateServicePath(service.path, `${path}.service.path`));
  return causes;
}

function validateReviewVersions(versions: readonly string[] | undefined, path: string): StatusCause[] {
  if (!versions?.length) return [required(path, `must specify one of ${REVIEW_VERSIONS.join(', ')}`)];
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    if (seen.has(version)) causes.push(invalidValue(`${path}[${index}]`, version, 'duplicate version'));
    seen.add(version);
    for (const why of checkDNS1035Label(version)) causes.push(invalidValue(`${path}[${index}]`, version, why));
  }
  if (!versions.some((each) => REVIEW_VERSIONS.includes(each))) {
    causes.push(invalidValue(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`));
  }
  return causes;
}

function validateWebhook(webhook: ValidatingWebhook, path: string): StatusCause[] {
  const causes = validateName(webhook.name ?? '', `${path}.name`);
  for (const [index, rule] of (webhook.rules ?? []).entries())
    causes.push(...validateRule(rule, `${path}.rules[${index}]`));
  const { failurePolicy, matchPolicy, sideEffects, timeoutSeconds } = webhook;
  if (failurePolicy !== undefined && !FAILURE_POLICIES.includes(failurePolicy)) {
    causes.push(notSupported(`${path}.failurePolicy`, failurePolicy, FAILURE_POLICIES));
  }
  if (matchPolicy !== undefined && !MATCH_POLICIES.includes(matchPolicy)) {
    causes.push(notSupported(`${path}.matchPolicy`, matchPolicy, MATCH_POLICIES));
  }
  if (sideEffects === undefined) {
    causes.push(required(`${path}.sideEffects`, `must specify one of ${SIDE_EFFECTS.join(', ')}`));
  } else if (!SIDE_EFFECTS.includes(sideEffects)) {
    causes.push(notSupported(`${path}.sideEffects`, sideEffects, SIDE_EFFECTS));
  }
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
    const why = 'the timeout value must be between 1 and 30 seconds';
    causes.push(invalidValue(`${path}.timeoutSeconds`, timeoutSeconds, why));
  }
  causes.push(...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`));
  causes.push(...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`));
  causes.push(...validateClientConfig(webhook.clientConfig ?? {}, `${path}.clientConfig`));
  causes.push(...validateMatchConditions(webhook.matchConditions, `${path}.matchConditions`, webhookEnvironment()));
  causes.push(...validateReviewVersions(webhook.admissionReviewVersions, `${path}.admissionReviewVersions`));
  return causes;
}

export function validateWebhooks(webhooks: readonly ValidatingWebhook[] | undefined): StatusCause[] {
  const seen = new Set<string>();
  return (webhooks ?? []).flatMap((webhook, index) => {
    const path = `webhooks[${index}]`;
    const causes = validateWebhook(webhook, path);
    if (seen.has(webhook.name)) causes.push(duplicateValue(`${path}.name`, webhook.name));
    seen.add(webhook.name);
    return causes;
  });
}
