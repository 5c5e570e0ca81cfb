/**
 * Rules for a pod's spec, alone and inside a template: everything but its containers (`container-validation.ts`).
 * Source: kubernetes, pkg/apis/core/validation ValidatePodSpec.
 */
import type { NodeSelectorTerm, PodSpec, Toleration, Volume } from '../../shared/api/core.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { validateContainers } from './container-validation.ts';
import { validateLabels } from './metadata-validation.ts';
import { checkDNSLabel, checkDNSSubdomain, checkIP, checkLabelValue, checkQualifiedName } from './names.ts';
import { validatePodPlacement } from './placement-validation.ts';
import { validateSysctls } from './sysctls.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const NODE_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const MIN_TOKEN_SECONDS = 600;
const MAX_MODE = 0o777;

const messagesAt = (path: string, value: unknown, messages: readonly string[]): StatusCause[] =>
  messages.map((message) => invalidValue(path, value, message));

function validateMode(mode: number | undefined, path: string): StatusCause[] {
  if (mode === undefined || (mode >= 0 && mode <= MAX_MODE)) return [];
  return [invalidValue(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')];
}

/** A path inside a volume: relative, and never out of it. */
function validateLocalPath(path: string, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (path.startsWith('/')) causes.push(invalidValue(field, path, 'must be a relative path'));
  if (path.split('/').includes('..')) causes.push(invalidValue(field, path, "must not contain '..'"));
  if (path.startsWith('..') && !path.startsWith('../') && path !== '..') {
    causes.push(invalidValue(field, path, "must not start with '..'"));
  }
  return causes;
}

function validateItems(
  items: readonly { key?: string; path?: string; mode?: number }[] | undefined,
  path: string,
): StatusCause[] {
  return (items ?? []).flatMap((item, index) => {
    const at = `${path}[${index}]`;
    return [
      ...(item.key ? [] : [required(`${at}.key`)]),
      ...(item.path ? validateLocalPath(item.path, `${at}.path`) : [required(`${at}.path`)]),
      ...validateMode(item.mode, `${at}.mode`),
    ];
  });
}

function validateDownwardItems(items: NonNullable<Volume['downwardAPI']>['items'], path: string): StatusCause[] {
  return (items ?? []).flatMap((item, index) => {
    const at = `${path}[${index}]`;
    const causes = item.path ? validateLocalPath(item.path, `${at}.path`) : [required(`${at}.path`)];
    if (item.fieldRef && item.resourceFieldRef) {
      causes.push(invalidValue(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    } else if (!item.fieldRef && !item.resourceFieldRef) {
      causes.push(required(at, 'one of fieldRef and resourceFieldRef is required'));
    }
    return [...causes, ...validateMode(item.mode, `${at}.mode`)];
  });
}

function validateProjected(projected: NonNullable<Volume['projected']>, path: string): StatusCause[] {
  const causes = validateMode(projected.defaultMode, `${path}.defaultMode`);
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const at = `${path}.sources[${index}]`;
    const kinds = Object.keys(source);
    if (kinds.length > 1) causes.push(forbiddenField(`${at}.${kinds[1]}`, 'may not specify more than 1 volume type'));
    for (const kind of ['configMap', 'secret'] as const) {
      const projection = source[kind];
      if (projection === undefined) continue;
      if (!projection.name) causes.push(required(`${at}.${kind}.name`));
      causes.push(...validateItems(projection.items, `${at}.${kind}.items`));
    }
    if (source.downwardAPI) causes.push(...validateDownwardItems(source.downwardAPI.items, `${at}.downwardAPI.items`));
    const token = source.serviceAccountToken;
    if (token === undefined) continue;
    const seconds = token.expirationSeconds ?? MIN_TOKEN_SECONDS;
    if (seconds < MIN_TOKEN_SECONDS) {
      const text = 'may not specify a duration less than 10 minutes';
      causes.push(invalidValue(`${at}.serviceAccountToken.expirationSeconds`, seconds, text));
    }
    if (!token.path) causes.push(required(`${at}.serviceAccountToken.path`));
    else causes.push(...validateLocalPath(token.path, `${at}.serviceAccountToken.path`));
  }
  return causes;
}

function validateVolumeSource(volume: Volume, path: string): StatusCause[] {
  const { emptyDir, hostPath, configMap, secret, downwardAPI, projected } = volume;
  const kinds = Object.keys(volume).filter((key) => key !== 'name');
  const causes: StatusCause[] = kinds
    .slice(1)
    .map((kind) => forbiddenField(`${path}.${kind}`, 'may not specify more than 1 volume type'));
  if (kinds.length === 0) return [required(path, 'must specify a volume type')];
  if (emptyDir?.sizeLimit?.startsWith('-')) {
    causes.push(forbiddenField(`${path}.emptyDir.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
  }
  if (hostPath) {
    if (!hostPath.path) causes.push(required(`${path}.hostPath.path`));
    else if (hostPath.path.split('/').includes('..')) {
      causes.push(invalidValue(`${path}.hostPath.path`, hostPath.path, "must not contain '..'"));
    }
    const type = hostPath.type ?? '';
    if (!HOST_PATH_TYPES.includes(type))
      causes.push(notSupported(`${path}.hostPath.type`, type, HOST_PATH_TYPES.slice(1)));
  }
  if (configMap) {
    if (!configMap.name) causes.push(required(`${path}.configMap.name`));
    causes.push(...validateMode(configMap.defaultMode, `${path}.configMap.defaultMode`));
    causes.push(...validateItems(configMap.items, `${path}.configMap.items`));
  }
  if (secret) {
    if (!secret.secretName) causes.push(required(`${path}.secret.secretName`));
    causes.push(...validateMode(secret.defaultMode, `${path}.secret.defaultMode`));
    causes.push(...validateItems(secret.items, `${path}.secret.items`));
  }
  if (downwardAPI) {
    causes.push(...validateMode(downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`));
    causes.push(...validateDownwardItems(downwardAPI.items, `${path}.downwardAPI.items`));
  }
  if (projected) causes.push(...validateProjected(projected, `${path}.projected`));
  return causes;
}

function validateVolumes(volumes: readonly Volume[] | undefined, path: string): StatusCause[] {
  const names = new Set<string>();
  return (volumes ?? []).flatMap((volume, index) => {
    const at = `${path}[${index}]`;
    const causes = validateVolumeSource(volume, at);
    if (!volume.name) causes.push(required(`${at}.name`));
    else causes.push(...messagesAt(`${at}.name`, volume.name, checkDNSLabel(volume.name)));
    if (volume.name && names.has(volume.name)) causes.push(duplicateValue(`${at}.name`, volume.name));
    names.add(volume.name);
    return causes;
  });
}

export function validateToleration(toleration: Toleration, path: string): StatusCause[] {
  const { key = '', operator = 'Equal', value = '', effect, tolerationSeconds } = toleration;
  const causes = key === '' ? [] : messagesAt(`${path}.key`, key, checkQualifiedName(key));
  if (key === '' && operator !== 'Exists') {
    const text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    causes.push(invalidValue(`${path}.operator`, operator, text));
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    const text = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    causes.push(invalidValue(`${path}.effect`, effect ?? '', text));
  }
  if (operator === 'Equal') causes.push(...messagesAt(`${path}.operator`, value, checkLabelValue(value)));
  else if (operator === 'Exists') {
    if (value !== '')
      causes.push(invalidValue(`${path}.operator`, toleration, "value must be empty when `operator` is 'Exists'"));
  } else causes.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']));
  if (effect && !EFFECTS.includes(effect)) causes.push(notSupported(`${path}.effect`, effect, EFFECTS));
  return causes;
}

function validateNodeTerms(terms: readonly NodeSelectorTerm[], path: string): StatusCause[] {
  if (terms.length === 0) return [required(path, 'must have at least one node selector term')];
  return terms.flatMap((term, index) =>
    (['matchExpressions', 'matchFields'] as const).flatMap((list) =>
      (term[list] ?? []).flatMap(({ key, operator, values = [] }, position) => {
        const at = `${path}[${index}].${list}[${position}]`;
        const causes: StatusCause[] = [];
        if (!NODE_OPERATORS.includes(operator)) {
          causes.push(invalidValue(`${at}.operator`, operator, 'not a valid selector operator'));
        } else if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
          causes.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        } else if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
          const text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
          causes.push(forbiddenField(`${at}.values`, text));
        } else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1) {
          causes.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
        }
        const keyErrors = list === 'matchFields' ? [] : checkQualifiedName(key ?? '');
        return [...causes, ...messagesAt(`${at}.key`, key, keyErrors)];
      }),
    ),
  );
}

function validateNaming(spec: PodSpec, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const check = (field: string, value: string | undefined, rule: (value: string) => string[]) => {
    if (value) causes.push(...messagesAt(`${path}.${field}`, value, rule(value)));
  };
  check('serviceAccountName', spec.serviceAccountName, checkDNSSubdomain);
  check('nodeName', spec.nodeName, checkDNSSubdomain);
  check('hostname', spec.hostname, checkDNSLabel);
  check('subdomain', spec.subdomain, checkDNSLabel);
  check('priorityClassName', spec.priorityClassName, checkDNSSubdomain);
  check('schedulerName', spec.schedulerName, checkQualifiedName);
  causes.push(...validateLabels(spec.nodeSelector, `${path}.nodeSelector`));
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    causes.push(...messagesAt(`${path}.hostAliases[${index}].ip`, alias.ip, checkIP(alias.ip ?? '')));
    for (const name of alias.hostnames ?? []) {
      causes.push(...messagesAt(`${path}.hostAliases[${index}].hostnames`, name, checkDNSSubdomain(name)));
    }
  }
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if (!secret.name) causes.push(required(`${path}.imagePullSecrets[${index}].name`));
  }
  return causes;
}

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!dnsPolicy) causes.push(required(`${path}.dnsPolicy`));
  else if (!DNS_POLICIES.includes(dnsPolicy)) causes.push(notSupported(`${path}.dnsPolicy`, dnsPolicy, DNS_POLICIES));
  if (dnsPolicy === 'None' && !dnsConfig?.nameservers?.length) {
    const text = `must provide at least one DNS nameserver when \`dnsPolicy\` is None`;
    causes.push(required(dnsConfig ? `${path}.dnsConfig.nameservers` : `${path}.dnsConfig`, text));
  }
  if ((dnsConfig?.nameservers?.length ?? 0) > 3) {
    const text = 'must not have more than 3 nameservers';
    causes.push(invalidValue(`${path}.dnsConfig.nameservers`, dnsConfig?.nameservers, text));
  }
  for (const [index, address] of (dnsConfig?.nameservers ?? []).entries()) {
    causes.push(...messagesAt(`${path}.dnsConfig.nameservers[${index}]`, address, checkIP(address)));
  }
  if ((dnsConfig?.searches?.length ?? 0) > 32) {
    causes.push(
      invalidValue(`${path}.dnsConfig.searches`, dnsConfig?.searches, 'must not have more than 32 search paths'),
    );
  }
  return causes;
}

export function validatePodSpec(spec: PodSpec, path: string): StatusCause[] {
  const causes = [...validateVolumes(spec.volumes, `${path}.volumes`), ...validateContainers(spec, path)];
  const { restartPolicy, terminationGracePeriodSeconds: grace, activeDeadlineSeconds: deadline } = spec;
  if (!restartPolicy) causes.push(required(`${path}.restartPolicy`));
  else if (!RESTART_POLICIES.includes(restartPolicy)) {
    causes.push(notSupported(`${path}.restartPolicy`, restartPolicy, RESTART_POLICIES));
  }
  causes.push(...validateDns(spec, path), ...validateNaming(spec, path), ...validateSysctls(spec, path));
  if (grace !== undefined && grace < 0) {
    causes.push(invalidValue(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'));
  }
  if (deadline !== undefined && (deadline < 1 || deadline > 2_147_483_647)) {
    causes.push(invalidValue(`${path}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive'));
  }
  for (const [index, toleration] of (spec.tolerations ?? []).entries()) {
    causes.push(...validateToleration(toleration, `${path}.tolerations[${index}]`));
  }
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution) {
    const at = `${path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
    causes.push(...validateNodeTerms(terms ?? [], at));
  }
  causes.push(...validatePodPlacement(spec, path));
  for (const [index, gate] of (spec.readinessGates ?? []).entries()) {
    const at = `${path}.readinessGates[${index}].conditionType`;
    causes.push(...messagesAt(at, gate.conditionType, checkQualifiedName(gate.conditionType ?? '')));
  }
  return causes;
}
