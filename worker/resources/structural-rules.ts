/**
 * Whether the schema of a CRD is structural and sound, in upstream's words. What objects must look like under a sound schema is
 * `structural-validation.ts`; rules in CEL are read by `cel-rules.ts`.
 * Source: apiextensions-apiserver, pkg/apiserver/schema/validation.go and pkg/apis/apiextensions/validation/validation.go
 */
import type { JSONSchemaProps, StructuralSchema } from '../../shared/api/apiextensions.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { compileRules, type RuleProblem } from './cel-rules.ts';
import { isSame } from './data-validation.ts';
import type { JsonObject } from './definition.ts';
import { checkFields } from './fields.ts';
import { compilePattern, PatternError } from './regex.ts';
import { schemaOfStructural } from './structural.ts';
import { validateStructural } from './structural-validation.ts';

/** Deeper schemas are refused: whatever walks them recurses. */
const MAX_DEPTH = 100;
const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED: readonly (keyof JSONSchemaProps)[] = [
  'id',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
  'additionalItems',
];
const REASONS = ['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueRequired', 'FieldValueDuplicate'];

interface Place {
  path: string;
  depth: number;
  /** The root of a resource: of the CRD's, or an embedded one's. */
  isRoot: boolean;
  /** Inside allOf, anyOf, oneOf, not: only what narrows the value may stand there. */
  isLogic: boolean;
  /** Inside anyOf of an int-or-string: the two types may be named there. */
  namesTypes: boolean;
}

export function validateSchema(schema: JSONSchemaProps, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  visit(schema, { path, depth: 0, isRoot: true, isLogic: false, namesTypes: false }, causes);
  if (causes.length > 0) return causes;
  const problems: RuleProblem[] = [];
  compileRules(schema as StructuralSchema, problems);
  causes.push(...problems.map((each) => invalidValue(path + each.path, each.value, each.detail)));
  validateDefaults(schema as StructuralSchema, path, causes);
  return causes;
}

function visit(node: JSONSchemaProps, place: Place, causes: StatusCause[]): void {
  const { path, depth, isLogic } = place;
  if (depth > MAX_DEPTH) {
    causes.push(forbiddenField(path, `schemas may not be nested more than ${MAX_DEPTH} deep`));
    return;
  }
  visitKeywords(node, path, causes);
  if (isLogic) visitLogicKeywords(node, place, causes);
  else visitType(node, place, causes);
  visitExtensions(node, path, causes);
  const inner = { depth: depth + 1, isRoot: false, isLogic, namesTypes: false };
  const namesTypes = node['x-kubernetes-int-or-string'] === true || place.namesTypes;
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (!isLogic && (place.isRoot || node['x-kubernetes-embedded-resource']) && name === 'metadata') {
      visitMetadata(child, `${path}.properties[metadata]`, causes);
      continue;
    }
    visit(child, { ...inner, path: `${path}.properties[${name}]` }, causes);
  }
  if (Array.isArray(node.items)) {
    causes.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
  } else if (node.items) visit(node.items as JSONSchemaProps, { ...inner, path: `${path}.items` }, causes);
  if (typeof node.additionalProperties === 'object') {
    visit(node.additionalProperties, { ...inner, path: `${path}.additionalProperties` }, causes);
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, child] of (node[keyword] ?? []).entries()) {
      const at = `${path}.${keyword}[${index}]`;
      visit(child, { ...inner, isLogic: true, namesTypes, path: at }, causes);
      if (!isLogic) requireComplete(node, child, path, at, causes);
    }
  }
  if (node.not) {
    visit(node.not, { ...inner, isLogic: true, path: `${path}.not` }, causes);
    if (!isLogic) requireComplete(node, node.not, path, `${path}.not`, causes);
  }
}

function visitKeywords(node: JSONSchemaProps, path: string, causes: StatusCause[]): void {
  for (const keyword of UNSUPPORTED) {
    if (node[keyword] !== undefined) causes.push(forbiddenField(`${path}.${keyword}`, `${keyword} is not supported`));
  }
  if (node.uniqueItems) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    causes.push(forbiddenField(`${path}.uniqueItems`, why));
  }
  if (node.additionalProperties === false) {
    causes.push(forbiddenField(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  }
  if (node.additionalProperties && Object.keys(node.properties ?? {}).length > 0) {
    causes.push(
      forbiddenField(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    );
  }
  if (node.type === 'null') {
    causes.push(forbiddenField(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  } else if (node.type && !TYPES.includes(node.type)) causes.push(notSupported(`${path}.type`, node.type, TYPES));
  if (node.pattern !== undefined) {
    try {
      compilePattern(node.pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      const why = `must be a valid regular expression, but isn't: ${error.message}`;
      causes.push(invalidValue(`${path}.pattern`, node.pattern, why));
    }
  }
  if (node.multipleOf !== undefined && node.multipleOf <= 0) {
    causes.push(invalidValue(`${path}.multipleOf`, node.multipleOf, 'must be greater than 0'));
  }
}

const STRUCTURE: readonly (keyof JSONSchemaProps)[] = [
  'description',
  'title',
  'type',
  'default',
  'additionalProperties',
];

function visitLogicKeywords(node: JSONSchemaProps, { path, namesTypes }: Place, causes: StatusCause[]): void {
  const intOrString = namesTypes && ['integer', 'string'].includes(node.type ?? '');
  for (const keyword of STRUCTURE) {
    const empty = node[keyword] === undefined || node[keyword] === '';
    if (!empty && !(keyword === 'type' && intOrString)) {
      causes.push(
        forbiddenField(
          `${path}.${keyword}`,
          keyword === 'default' || keyword === 'additionalProperties'
            ? 'must be undefined to be structural'
            : 'must be empty to be structural',
        ),
      );
    }
  }
  if (node.nullable) causes.push(forbiddenField(`${path}.nullable`, 'must be false to be structural'));
  for (const name of Object.keys(node).filter((each) => each.startsWith('x-kubernetes-'))) {
    causes.push(
      forbiddenField(
        `${path}.${name}`,
        name.includes('list') || name.includes('map')
          ? 'must be undefined to be structural'
          : 'must be false to be structural',
      ),
    );
  }
}

function visitType(node: JSONSchemaProps, { path, isRoot, depth }: Place, causes: StatusCause[]): void {
  const intOrString = node['x-kubernetes-int-or-string'] === true;
  const preserves = node['x-kubernetes-preserve-unknown-fields'] === true;
  const embedded = node['x-kubernetes-embedded-resource'] === true;
  if (isRoot && depth === 0) {
    if (!node.type) causes.push(required(`${path}.type`, 'must not be empty at the root'));
    else if (node.type !== 'object') causes.push(invalidValue(`${path}.type`, node.type, 'must be object at the root'));
  } else if (intOrString) {
    if (node.type) {
      causes.push(invalidValue(`${path}.type`, node.type, 'must be empty if x-kubernetes-int-or-string is true'));
    }
  } else if (embedded) {
    if (node.type !== 'object') {
      causes.push(
        invalidValue(`${path}.type`, node.type ?? '', 'must be object if x-kubernetes-embedded-resource is true'),
      );
    }
  } else if (!node.type && !preserves) {
    const what = path.endsWith('.items') ? 'array items' : 'object fields';
    causes.push(required(`${path}.type`, `must not be empty for specified ${what}`));
  }
  if (embedded && !preserves && Object.keys(node.properties ?? {}).length === 0) {
    const why =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    causes.push(required(`${path}.properties`, why));
  }
  if (intOrString && (preserves || embedded)) {
    causes.push(
      forbiddenField(
        `${path}.x-kubernetes-int-or-string`,
        'must be false if x-kubernetes-preserve-unknown-fields or x-kubernetes-embedded-resource is true',
      ),
    );
  }
  if (node.type === 'array' && !node.items) causes.push(required(`${path}.items`, 'must be specified'));
}

function visitMetadata(node: JSONSchemaProps, path: string, causes: StatusCause[]): void {
  const names = Object.keys(node.properties ?? {});
  const allowed = names.every((name) => name === 'name' || name === 'generateName');
  const others = Object.keys(node).filter((key) => !['type', 'properties', 'description'].includes(key));
  if (node.type !== undefined && node.type !== 'object')
    causes.push(invalidValue(`${path}.type`, node.type, 'must be object'));
  if (!allowed || others.length > 0) {
    causes.push(
      forbiddenField(
        path,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  }
}

function visitExtensions(node: JSONSchemaProps, path: string, causes: StatusCause[]): void {
  const listType = node['x-kubernetes-list-type'];
  const keys = node['x-kubernetes-list-map-keys'] ?? [];
  const mapType = node['x-kubernetes-map-type'];
  const items = Array.isArray(node.items) ? undefined : (node.items as JSONSchemaProps | undefined);
  if (mapType !== undefined) {
    if (!['atomic', 'granular'].includes(mapType)) {
      causes.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
    }
    if (node.type !== 'object') {
      causes.push(
        invalidValue(`${path}.type`, node.type ?? '', 'must be object if x-kubernetes-map-type is specified'),
      );
    }
  }
  if (listType !== undefined) {
    if (!['atomic', 'map', 'set'].includes(listType)) {
      causes.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'map', 'set']));
    }
    if (node.type !== 'array') {
      causes.push(
        invalidValue(`${path}.type`, node.type ?? '', 'must be array if x-kubernetes-list-type is specified'),
      );
    }
  }
  if (keys.length > 0 && listType !== 'map') {
    causes.push(
      invalidValue(
        `${path}.x-kubernetes-list-type`,
        listType ?? null,
        'must be map if x-kubernetes-list-map-keys is non-empty',
      ),
    );
  }
  if (listType === 'map') visitMapKeys(node, keys, items, path, causes);
  if (listType === 'set' && items !== undefined) visitSetItems(items, path, causes);
  visitRules(node, path, causes);
}

function visitMapKeys(
  node: JSONSchemaProps,
  keys: readonly string[],
  items: JSONSchemaProps | undefined,
  path: string,
  causes: StatusCause[],
): void {
  if (keys.length === 0) {
    causes.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'));
  }
  if (new Set(keys).size < keys.length) {
    causes.push(invalidValue(`${path}.x-kubernetes-list-map-keys`, keys, 'must not contain duplicate entries'));
  }
  if (items === undefined) return;
  if (items.type !== 'object') {
    causes.push(
      invalidValue(
        `${path}.items.type`,
        items.type ?? '',
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    );
  }
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key];
    if (property === undefined) {
      causes.push(
        invalidValue(
          `${path}.x-kubernetes-list-map-keys[${index}]`,
          key,
          'entries must all be names of item properties',
        ),
      );
    } else {
      if (property.type === 'array' || property.type === 'object') {
        causes.push(
          invalidValue(
            `${path}.items.properties[${key}].type`,
            property.type,
            "must be a scalar type if parent array's x-kubernetes-list-type is map",
          ),
        );
      }
      if (property.default === undefined && !items.required?.includes(key)) {
        const why =
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
        causes.push(required(`${path}.items.properties[${key}].default`, why));
      }
    }
  }
  if (node.items && items.nullable) {
    causes.push(forbiddenField(`${path}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is map'));
  }
}

function visitSetItems(items: JSONSchemaProps, path: string, causes: StatusCause[]): void {
  const atomicMap = items.type === 'object' && items['x-kubernetes-map-type'] === 'atomic';
  const atomicList = items.type === 'array' && (items['x-kubernetes-list-type'] ?? 'atomic') === 'atomic';
  if (items.type === 'object' && !atomicMap) {
    causes.push(
      invalidValue(
        `${path}.items.x-kubernetes-map-type`,
        items['x-kubernetes-map-type'] ?? null,
        'must be atomic as item of a list with x-kubernetes-list-type=set',
      ),
    );
  } else if (items.type === 'array' && !atomicList) {
    causes.push(
      invalidValue(
        `${path}.items.x-kubernetes-list-type`,
        items['x-kubernetes-list-type'] ?? null,
        'must be atomic as item of a list with x-kubernetes-list-type=set',
      ),
    );
  }
  if (items.nullable) {
    causes.push(forbiddenField(`${path}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is set'));
  }
}

function visitRules(node: JSONSchemaProps, path: string, causes: StatusCause[]): void {
  for (const [index, rule] of (node['x-kubernetes-validations'] ?? []).entries()) {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    if (!rule.rule?.trim()) causes.push(required(`${at}.rule`, 'rule is not specified'));
    if (rule.message !== undefined && rule.message !== '') {
      if (rule.message.trim() === '')
        causes.push(invalidValue(`${at}.message`, rule.message, 'message must be non-empty if specified'));
      else if (rule.message.includes('\n'))
        causes.push(invalidValue(`${at}.message`, rule.message, 'message must not contain line breaks'));
    } else if (rule.rule?.includes('\n') && rule.messageExpression === undefined) {
      causes.push(required(`${at}.message`, 'message must be specified if rule contains line breaks'));
    }
    if (rule.reason !== undefined && !REASONS.includes(rule.reason)) {
      causes.push(notSupported(`${at}.reason`, rule.reason, REASONS));
    }
    if (rule.fieldPath !== undefined && !leadsSomewhere(node, rule.fieldPath)) {
      causes.push(invalidValue(`${at}.fieldPath`, rule.fieldPath, 'fieldPath must be a valid path'));
    }
  }
}

/** `.spec.x`, `.labels['a.b']`: a field that the schema names. */
function leadsSomewhere(node: JSONSchemaProps, fieldPath: string): boolean {
  const steps = [...fieldPath.matchAll(/\.([A-Za-z_][\w-]*)|\['([^']*)'\]/gy)];
  if (steps.map((step) => step[0]).join('') !== fieldPath || steps.length === 0) return false;
  let at: JSONSchemaProps | undefined = node;
  for (const step of steps) {
    const name: string = step[1] ?? step[2] ?? '';
    at = at?.properties?.[name] ?? (typeof at?.additionalProperties === 'object' ? at.additionalProperties : undefined);
    if (at === undefined) return false;
  }
  return true;
}

/** What a logical schema narrows must be named outside of it too. */
function requireComplete(
  outer: JSONSchemaProps,
  logic: JSONSchemaProps,
  path: string,
  logicPath: string,
  causes: StatusCause[],
): void {
  for (const [name, child] of Object.entries(logic.properties ?? {})) {
    const found =
      outer.properties?.[name] ??
      (typeof outer.additionalProperties === 'object' ? outer.additionalProperties : undefined);
    const at = `${logicPath}.properties[${name}]`;
    if (found !== undefined) requireComplete(found, child, `${path}.properties[${name}]`, at, causes);
    else if (!outer['x-kubernetes-preserve-unknown-fields'] || !outer.properties) {
      if (outer['x-kubernetes-preserve-unknown-fields']) continue;
      causes.push(required(`${path}.properties[${name}]`, `because it is defined in ${at}`));
    }
  }
  if (logic.items && !Array.isArray(logic.items)) {
    const inner = logic.items as JSONSchemaProps;
    if (outer.items && !Array.isArray(outer.items)) {
      requireComplete(outer.items as JSONSchemaProps, inner, `${path}.items`, `${logicPath}.items`, causes);
    } else causes.push(required(`${path}.items`, `because it is defined in ${logicPath}.items`));
  }
}

/** A default must be what it would be after pruning, and valid. */
function validateDefaults(node: StructuralSchema, path: string, causes: StatusCause[]): void {
  if (node.default !== undefined) {
    const at = `${path}.default`;
    const wrapped = { value: structuredClone(node.default) } as JsonObject;
    const root: StructuralSchema = { type: 'object', properties: { value: node } };
    checkFields(schemaOfStructural(root, { apiVersion: 'v1', kind: 'Default' }), wrapped);
    if (node.default !== null && !isSame(wrapped.value, node.default)) {
      causes.push(invalidValue(at, node.default, 'must not have unknown fields'));
    } else causes.push(...validateStructural(node, node.default, at));
  }
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    validateDefaults(child, `${path}.properties[${name}]`, causes);
  }
  if (node.items) validateDefaults(node.items, `${path}.items`, causes);
  if (typeof node.additionalProperties === 'object') {
    validateDefaults(node.additionalProperties, `${path}.additionalProperties`, causes);
  }
}
