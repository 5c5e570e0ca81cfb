/**
 * Rules for a CustomResourceDefinition, in upstream's words and under upstream's paths. Rules for the schemas in it are
 * `structural-rules.ts`.
 * Source: apiextensions-apiserver, pkg/apis/apiextensions/validation/validation.go
 */
import type {
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../shared/api/apiextensions.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { isSame } from './data-validation.ts';
import { JsonPathError, parseJsonPath } from './json-path.ts';
import { checkDNS1035Label, checkDNSSubdomain } from './names.ts';
import { validateSchema } from './structural-rules.ts';

type Spec = CustomResourceDefinition['spec'];

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['binary', 'byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const APPROVED = 'api-approved.kubernetes.io';
const MAX_SELECTABLE = 8;
const IMMUTABLE = 'field is immutable';

export function validateDefinition(
  draft: Draft<CustomResourceDefinition>,
  current: CustomResourceDefinition | undefined,
): StatusCause[] {
  const { spec } = draft;
  const causes: StatusCause[] = [];
  const name = `${spec.names?.plural ?? ''}.${spec.group ?? ''}`;
  if (draft.metadata.name !== name) {
    causes.push(invalidValue('metadata.name', draft.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  causes.push(...validateApproval(draft));
  causes.push(...validateGroup(spec.group ?? ''));
  if (!spec.scope) causes.push(required('spec.scope'));
  else if (!['Cluster', 'Namespaced'].includes(spec.scope)) {
    causes.push(notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']));
  }
  causes.push(...validateNames(spec.names ?? ({} as CustomResourceDefinitionNames), 'spec.names', true));
  causes.push(...validateVersions(spec, current?.spec));
  causes.push(...validateConversion(spec.conversion));
  if (spec.preserveUnknownFields === true) {
    const why =
      "must be false. To preserve fields in custom resources, use 'x-kubernetes-preserve-unknown-fields' in the schema";
    causes.push(invalidValue('spec.preserveUnknownFields', true, why));
  }
  return causes;
}

/** Kubernetes: groups of the project itself need its approval. */
function validateApproval({ metadata, spec }: Draft<CustomResourceDefinition>): StatusCause[] {
  const group = spec.group ?? '';
  const isProtected = ['k8s.io', 'kubernetes.io'].some((each) => group === each || group.endsWith(`.${each}`));
  if (!isProtected) return [];
  const value = metadata.annotations?.[APPROVED];
  const path = `metadata.annotations[${APPROVED}]`;
  if (!value) {
    const why = `protected groups must have approval annotation "${APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111`;
    return [required(path, why)];
  }
  return value.startsWith('unapproved') || /^https?:\/\/./.test(value)
    ? []
    : [
        invalidValue(
          path,
          value,
          'protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
        ),
      ];
}

function validateGroup(group: string): StatusCause[] {
  if (group === '') return [required('spec.group')];
  const problems = checkDNSSubdomain(group);
  if (problems.length > 0) return [invalidValue('spec.group', group, problems.join(','))];
  return group.includes('.') ? [] : [invalidValue('spec.group', group, 'should be a domain with at least one dot')];
}

export function validateNames(names: CustomResourceDefinitionNames, path: string, isSpec: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  if (isSpec) {
    for (const key of ['plural', 'singular', 'kind', 'listKind'] as const) {
      if (!names[key]) causes.push(required(`${path}.${key}`));
    }
  }
  const check = (key: string, value: string | undefined, prefix = '') => {
    const problems = value ? checkDNS1035Label(prefix === '' ? value : value.toLowerCase()) : [];
    if (problems.length > 0) causes.push(invalidValue(`${path}.${key}`, value, prefix + problems.join(',')));
  };
  const mixed = 'may have mixed case, but should otherwise match: ';
  check('plural', names.plural);
  check('singular', names.singular);
  check('kind', names.kind, mixed);
  check('listKind', names.listKind, mixed);
  for (const [index, each] of (names.shortNames ?? []).entries()) check(`shortNames[${index}]`, each);
  for (const [index, each] of (names.categories ?? []).entries()) check(`categories[${index}]`, each);
  if (names.kind && names.kind === names.listKind) {
    causes.push(invalidValue(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'));
  }
  return causes;
}

/** Kubernetes: what all versions have alike is shown as the definition's own. */
function hoisted<T>(
  versions: readonly CustomResourceDefinitionVersion[],
  of: (version: CustomResourceDefinitionVersion) => T,
): boolean {
  return versions.every((each) => isSame(of(each) ?? null, of(versions[0] as CustomResourceDefinitionVersion) ?? null));
}

function validateVersions(spec: Spec, current: Spec | undefined): StatusCause[] {
  const versions = spec.versions ?? [];
  if (versions.length === 0) return [required('spec.versions', 'must have at least one version')];
  const causes: StatusCause[] = [];
  const shown = versions.map(({ name, served, storage }) => ({ name, served, storage }));
  if (new Set(versions.map((each) => each.name)).size < versions.length) {
    causes.push(invalidValue('spec.versions', shown, 'must contain unique version names'));
  }
  if (versions.filter((each) => each.storage).length !== 1) {
    causes.push(invalidValue('spec.versions', shown, 'must have exactly one version marked as storage version'));
  }
  const alike = {
    schema: hoisted(versions, (each) => each.schema),
    subresources: hoisted(versions, (each) => each.subresources),
    columns: hoisted(versions, (each) => each.additionalPrinterColumns),
    selectable: hoisted(versions, (each) => each.selectableFields),
  };
  for (const [index, version] of versions.entries()) {
    const own = `spec.versions[${index}]`;
    const problems = checkDNS1035Label(version.name ?? '');
    if (problems.length > 0) causes.push(invalidValue(`${own}.name`, version.name ?? '', problems.join(',')));
    if (version.deprecationWarning !== undefined) causes.push(...validateWarning(version, own));
    const schemaPath = alike.schema ? 'spec.validation.openAPIV3Schema' : `${own}.schema.openAPIV3Schema`;
    const before = current?.versions.find((each) => each.name === version.name);
    if (version.schema?.openAPIV3Schema === undefined) {
      causes.push(required(`${own}.schema.openAPIV3Schema`, 'schemas are required'));
    } else if ((index === 0 || !alike.schema) && !isSame(before?.schema, version.schema)) {
      causes.push(...validateSchema(version.schema.openAPIV3Schema, schemaPath));
    }
    if (index === 0 || !alike.subresources) {
      causes.push(...validateSubresources(version, alike.subresources ? 'spec.subresources' : `${own}.subresources`));
    }
    if (index === 0 || !alike.columns) {
      const path = alike.columns ? 'spec.additionalPrinterColumns' : `${own}.additionalPrinterColumns`;
      causes.push(...validateColumns(version, path));
    }
    if (index === 0 || !alike.selectable) {
      causes.push(
        ...validateSelectable(version, alike.selectable ? 'spec.selectableFields' : `${own}.selectableFields`),
      );
    }
  }
  return causes;
}

function validateWarning(
  { deprecated, deprecationWarning = '' }: CustomResourceDefinitionVersion,
  path: string,
): StatusCause[] {
  const at = `${path}.deprecationWarning`;
  if (!deprecated) return [invalidValue(at, deprecationWarning, 'can only be set for deprecated versions')];
  if (deprecationWarning.length > 256) return [invalidValue(at, deprecationWarning, 'must be <= 256 characters long')];
  if (deprecationWarning === '') return [invalidValue(at, '', 'must not be empty if specified')];
  return /\p{Cc}/u.test(deprecationWarning)
    ? [invalidValue(at, deprecationWarning, 'must only contain printable UTF-8 characters')]
    : [];
}

function validateSubresources({ subresources }: CustomResourceDefinitionVersion, path: string): StatusCause[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const causes: StatusCause[] = [];
  const check = (key: string, value: string | undefined, roots: readonly string[], isRequired: boolean) => {
    const at = `${path}.scale.${key}`;
    if (!value) {
      if (isRequired) causes.push(required(at));
    } else if (!/^(?:\.[A-Za-z_][\w-]*)+$/.test(value)) {
      causes.push(invalidValue(at, value, 'must be a json path in the dot notation'));
    } else if (!roots.some((root) => value.startsWith(root))) {
      const where = roots.map((root) => root.slice(0, -1)).join(' or ');
      causes.push(invalidValue(at, value, `should be a json path under ${where}`));
    }
  };
  check('specReplicasPath', scale.specReplicasPath, ['.spec.'], true);
  check('statusReplicasPath', scale.statusReplicasPath, ['.status.'], true);
  check('labelSelectorPath', scale.labelSelectorPath, ['.spec.', '.status.'], false);
  return causes;
}

function validateColumns({ additionalPrinterColumns }: CustomResourceDefinitionVersion, path: string): StatusCause[] {
  return (additionalPrinterColumns ?? []).flatMap((column, index) => {
    const at = `${path}[${index}]`;
    const causes: StatusCause[] = [];
    if (!column.name) causes.push(required(`${at}.name`));
    if (!column.type) causes.push(required(`${at}.type`, `must be one of ${COLUMN_TYPES.join(',')}`));
    else if (!COLUMN_TYPES.includes(column.type)) {
      causes.push(invalidValue(`${at}.type`, column.type, `must be one of ${COLUMN_TYPES.join(',')}`));
    }
    if (column.format && !COLUMN_FORMATS.includes(column.format)) {
      causes.push(invalidValue(`${at}.format`, column.format, `must be one of ${COLUMN_FORMATS.join(',')}`));
    }
    if (!column.jsonPath) causes.push(required(`${at}.JSONPath`));
    else {
      const problem = jsonPathProblem(column.jsonPath);
      if (problem !== undefined) causes.push(invalidValue(`${at}.JSONPath`, column.jsonPath, problem));
    }
    return causes;
  });
}

function jsonPathProblem(path: string): string | undefined {
  if (!path.startsWith('.') && !path.startsWith('[')) return 'must be a simple json path starting with .';
  try {
    parseJsonPath(path);
    return undefined;
  } catch (error) {
    if (error instanceof JsonPathError) return error.message;
    throw error;
  }
}

/** The schema that a plain field path leads to. */
function schemaAt(root: JSONSchemaProps | undefined, path: string): JSONSchemaProps | undefined {
  return path
    .slice(1)
    .split('.')
    .reduce<JSONSchemaProps | undefined>((at, name) => at?.properties?.[name], root);
}

function validateSelectable(
  { selectableFields, schema }: CustomResourceDefinitionVersion,
  path: string,
): StatusCause[] {
  const fields = selectableFields ?? [];
  const causes: StatusCause[] = [];
  if (fields.length > MAX_SELECTABLE) {
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${fields.length}: must have at most ${MAX_SELECTABLE} items`,
      field: path,
    });
  }
  const seen = new Set<string>();
  for (const [index, { jsonPath = '' }] of fields.entries()) {
    const at = `${path}[${index}].jsonPath`;
    if (jsonPath === '') {
      causes.push(required(at));
      continue;
    }
    if (seen.has(jsonPath)) causes.push(duplicateValue(at, jsonPath));
    seen.add(jsonPath);
    if (!/^(?:\.[A-Za-z_][\w-]*)+$/.test(jsonPath)) {
      causes.push(invalidValue(at, jsonPath, 'is an invalid path: only simple field paths are supported'));
      continue;
    }
    const found = schemaAt(schema?.openAPIV3Schema, jsonPath);
    if (jsonPath.startsWith('.metadata')) {
      causes.push(invalidValue(at, jsonPath, 'must not point to fields in metadata'));
    } else if (found === undefined) {
      causes.push(invalidValue(at, jsonPath, 'is an invalid path: does not refer to a valid field'));
    } else if (!['string', 'boolean', 'integer'].includes(found.type ?? '')) {
      causes.push(
        invalidValue(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      );
    }
  }
  return causes;
}

function validateConversion(conversion: CustomResourceConversion | undefined): StatusCause[] {
  const path = 'spec.conversion';
  const strategy = conversion?.strategy;
  if (!strategy) return [required(`${path}.strategy`)];
  if (!['None', 'Webhook'].includes(strategy)) return [notSupported(`${path}.strategy`, strategy, ['None', 'Webhook'])];
  const client = conversion.webhook?.clientConfig;
  if (strategy === 'None') {
    return client === undefined
      ? []
      : [forbiddenField(`${path}.webhookClientConfig`, 'should not be set when strategy is not set to Webhook')];
  }
  const causes: StatusCause[] = [];
  const versions = conversion.webhook?.conversionReviewVersions ?? [];
  if (client === undefined) {
    causes.push(required(`${path}.webhookClientConfig`, 'required when strategy is set to Webhook'));
  } else if ((client.url === undefined) === (client.service === undefined)) {
    causes.push(required(`${path}.webhookClientConfig`, 'exactly one of url or service is required'));
  }
  if (versions.length === 0) causes.push(required(`${path}.conversionReviewVersions`));
  else if (!versions.includes('v1') && !versions.includes('v1beta1')) {
    causes.push(invalidValue(`${path}.conversionReviewVersions`, versions, 'must include at least one of v1, v1beta1'));
  }
  return causes;
}

const isEstablished = ({ status }: CustomResourceDefinition): boolean =>
  status?.conditions?.some((each) => each.type === 'Established' && each.status === 'True') ?? false;

export function validateDefinitionUpdate(
  draft: CustomResourceDefinition,
  current: CustomResourceDefinition,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const fixed = (path: string, value: unknown, before: unknown) => {
    if (value !== before) causes.push(invalidValue(path, value, IMMUTABLE));
  };
  if (isEstablished(current)) {
    fixed('spec.scope', draft.spec.scope, current.spec.scope);
    fixed('spec.names.kind', draft.spec.names.kind, current.spec.names.kind);
  }
  fixed('spec.group', draft.spec.group, current.spec.group);
  fixed('spec.names.plural', draft.spec.names.plural, current.spec.names.plural);
  causes.push(...validateStored(draft));
  return causes;
}

/** A version in which objects may be stored cannot go. */
export function validateStored({ spec, status }: CustomResourceDefinition): StatusCause[] {
  const names = spec.versions.map((each) => each.name);
  return (status?.storedVersions ?? []).flatMap((stored, index) =>
    names.includes(stored)
      ? []
      : [invalidValue(`status.storedVersions[${index}]`, stored, 'must appear in spec.versions')],
  );
}

export function validateDefinitionStatus(draft: CustomResourceDefinition): StatusCause[] {
  const { status, spec } = draft;
  const causes = validateNames(
    status?.acceptedNames ?? ({} as CustomResourceDefinitionNames),
    'status.acceptedNames',
    false,
  );
  const stored = status?.storedVersions ?? [];
  const storage = spec.versions.find((each) => each.storage)?.name ?? '';
  if (stored.length === 0)
    causes.push(invalidValue('status.storedVersions', stored, 'must have at least one stored version'));
  else if (!stored.includes(storage)) {
    causes.push(invalidValue('status.storedVersions', stored, `must have the storage version ${storage}`));
  }
  return [...causes, ...validateStored(draft)];
}
