/**
 * x-kubernetes-validations: rules in CEL that stand in a custom resource's schema, made ready once and held against objects.
 * The order, the texts and what is let be (unchanged values) are upstream's.
 * Source: apiextensions-apiserver, pkg/apiserver/schema/cel; KEP-2876, KEP-4008
 */
import type { StructuralSchema, ValidationRule } from '../../shared/api/apiextensions.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import {
  type CelBudget,
  CelCompileError,
  CelCostError,
  type CelEnvironment,
  CelEvaluationError,
  type CelProgram,
  celTypes,
} from './cel.ts';
import { type CelField, type CelObjectType, type CelType, escapeName } from './cel-values.ts';
import { isSame } from './data-validation.ts';
import { correspondingItem, typeOf } from './structural-validation.ts';

/** Of all rules of one object; a call of its own is bounded by `CALL_LIMIT`. */
const OBJECT_BUDGET = 3_000_000;

const EMBEDDED_FIELDS: Record<string, StructuralSchema> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
};

/** Undefined: of a type that rules cannot look at (unknown fields are kept, and nothing is said about them). */
export function celTypeOf(node: StructuralSchema): CelType | undefined {
  if (node['x-kubernetes-int-or-string']) return 'dyn';
  const known = knownTypeOf(node);
  // A null has no type but its own.
  return node.nullable && known !== undefined ? 'dyn' : known;
}

const objects = new WeakMap<StructuralSchema, CelObjectType>();

function knownTypeOf(node: StructuralSchema): CelType | undefined {
  switch (node.type) {
    case 'boolean':
      return 'bool';
    case 'integer':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return STRING_TYPES[node.format ?? ''] ?? 'string';
    case 'array': {
      const list = node.items === undefined ? undefined : celTypeOf(node.items);
      return list === undefined ? undefined : { list };
    }
    case 'object': {
      if (typeof node.additionalProperties === 'object') {
        const map = celTypeOf(node.additionalProperties);
        return map === undefined ? undefined : { map };
      }
      if (node.additionalProperties === true) return { map: 'dyn' };
      let made = objects.get(node);
      if (made === undefined) {
        made = { fields: fieldsOf(node) };
        objects.set(node, made);
      }
      return { object: made };
    }
    default:
      return undefined;
  }
}

const STRING_TYPES: Record<string, CelType> = {
  byte: 'bytes',
  binary: 'bytes',
  date: 'timestamp',
  'date-time': 'timestamp',
  datetime: 'timestamp',
  duration: 'duration',
};

function fieldsOf(node: StructuralSchema): Map<string, CelField> {
  const fields = new Map<string, CelField>();
  const properties = { ...node.properties };
  if (node['x-kubernetes-embedded-resource']) Object.assign(properties, EMBEDDED_FIELDS);
  for (const [name, property] of Object.entries(properties)) {
    const escaped = escapeName(name);
    const type = escaped === undefined ? undefined : celTypeOf(property);
    if (escaped !== undefined && type !== undefined) fields.set(escaped, { name, type });
  }
  return fields;
}

interface ReadyRule {
  rule: ValidationRule;
  program: CelProgram;
  message: CelProgram | undefined;
  usesOld: boolean;
}

/** The rules of a schema, by the node that has them; and which nodes have any below them. */
export interface CelRules {
  root: StructuralSchema;
  rules: ReadonlyMap<StructuralSchema, readonly ReadyRule[]>;
  leading: ReadonlySet<StructuralSchema>;
}

export interface RuleProblem {
  /** `.properties[spec].x-kubernetes-validations[0].rule`, below the schema's root. */
  path: string;
  value: unknown;
  detail: string;
}

const childrenOf = (node: StructuralSchema): [string, StructuralSchema][] => [
  ...Object.entries(node.properties ?? {}).map(([name, child]): [string, StructuralSchema] => [
    `.properties[${name}]`,
    child,
  ]),
  ...(node.items ? [['.items', node.items] as [string, StructuralSchema]] : []),
  ...(typeof node.additionalProperties === 'object'
    ? [['.additionalProperties', node.additionalProperties] as [string, StructuralSchema]]
    : []),
];

/** Makes every rule ready, and says which cannot be. @param problems gets what is wrong. */
export function compileRules(schema: StructuralSchema, problems: RuleProblem[] = []): CelRules {
  const root: StructuralSchema = { ...schema, type: 'object', 'x-kubernetes-embedded-resource': true };
  const rules = new Map<StructuralSchema, ReadyRule[]>();
  const leading = new Set<StructuralSchema>();
  let types: CelEnvironment | undefined;
  const visit = (node: StructuralSchema, path: string, correlatable: boolean): boolean => {
    let any = false;
    const written = node['x-kubernetes-validations'] ?? [];
    if (written.length > 0) {
      types ??= celTypes([celTypeOf(root) ?? 'dyn']);
      const ready = compileNode(node, written, `${path}.x-kubernetes-validations`, { types, correlatable, problems });
      if (ready.length > 0) rules.set(node, ready);
      any = true;
    }
    const mapList = node['x-kubernetes-list-type'] === 'map';
    for (const [step, child] of childrenOf(node)) {
      const follows = correlatable && (step !== '.items' || mapList);
      if (visit(child, path + step, follows)) any = true;
    }
    if (any) leading.add(node);
    return any;
  };
  visit(root, '', true);
  return { root, rules, leading };
}

interface Compilation {
  types: CelEnvironment;
  correlatable: boolean;
  problems: RuleProblem[];
}

function compileNode(
  node: StructuralSchema,
  written: readonly ValidationRule[],
  path: string,
  { types, correlatable, problems }: Compilation,
): ReadyRule[] {
  const type = celTypeOf(node);
  if (type === undefined) {
    problems.push({
      path: `${path}[0].rule`,
      value: written[0]?.rule ?? '',
      detail: 'rules must be on a schema of a known type',
    });
    return [];
  }
  const plain = types.with({ self: type, oldSelf: type });
  const optional = types.with({ self: type, oldSelf: { optional: type } });
  const ready: ReadyRule[] = [];
  for (const [index, rule] of written.entries()) {
    const environment = rule.optionalOldSelf === true ? optional : plain;
    const at = `${path}[${index}]`;
    const attempt = (field: 'rule' | 'messageExpression', result: 'bool' | 'string'): CelProgram | undefined => {
      try {
        return environment.compile(rule[field] ?? '', [result]);
      } catch (error) {
        if (!(error instanceof CelCompileError)) throw error;
        const prefix = field === 'rule' ? 'compilation failed' : 'messageExpression compilation failed';
        problems.push({ path: `${at}.${field}`, value: rule[field] ?? '', detail: `${prefix}: ${error.message}` });
        return undefined;
      }
    };
    if (rule.rule.trim() === '') continue;
    const program = attempt('rule', 'bool');
    const message = rule.messageExpression === undefined ? undefined : attempt('messageExpression', 'string');
    if (program === undefined) continue;
    const usesOld = program.uses('oldSelf');
    if (usesOld && !correlatable) {
      const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${path.replace(/\.x-kubernetes-validations$/, '')}`;
      problems.push({ path: `${at}.rule`, value: rule.rule, detail });
      continue;
    }
    ready.push({ rule, program, message, usesOld });
  }
  return ready;
}

// ---- Evaluation ---------------------------------------------------------------------------------------------------

interface Run {
  rules: CelRules;
  budget: CelBudget;
  causes: StatusCause[];
}

/** Ends the run: nothing below is looked at. */
class OutOfBudget extends Error {}

/** @param old the stored object, undefined for a new one. */
export function validateRules(rules: CelRules, value: unknown, old: unknown): StatusCause[] {
  if (rules.leading.size === 0) return [];
  const run: Run = { rules, budget: { remaining: OBJECT_BUDGET }, causes: [] };
  try {
    validateAt(rules.root, value, old, '', run);
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error;
  }
  return run.causes;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function validateAt(node: StructuralSchema, value: unknown, old: unknown, path: string, run: Run): void {
  if (value === undefined || !run.rules.leading.has(node)) return;
  const unchanged = old !== undefined && isSame(value, old);
  for (const ready of run.rules.rules.get(node) ?? []) {
    if (unchanged && !ready.usesOld) continue;
    if (ready.usesOld && old === undefined && ready.rule.optionalOldSelf !== true) continue;
    validateRule(ready, node, value, old, path, run);
  }
  if (Array.isArray(value) && node.items) {
    for (const [index, each] of value.entries()) {
      validateAt(node.items, each, correspondingItem(node, each, old), `${path}[${index}]`, run);
    }
  } else if (isRecord(value)) {
    const before = isRecord(old) ? old : {};
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      if (Object.hasOwn(value, name)) validateAt(child, value[name], own(before, name), join(path, name), run);
    }
    if (typeof node.additionalProperties === 'object') {
      for (const [name, each] of Object.entries(value)) {
        if (node.properties && Object.hasOwn(node.properties, name)) continue;
        validateAt(node.additionalProperties, each, own(before, name), `${path}[${name}]`, run);
      }
    }
  }
}

const own = (object: Record<string, unknown>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;
const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

const REASONS: Record<string, { reason: string; text: string }> = {
  FieldValueInvalid: { reason: 'FieldValueInvalid', text: 'Invalid value' },
  FieldValueForbidden: { reason: 'FieldValueForbidden', text: 'Forbidden' },
  FieldValueRequired: { reason: 'FieldValueRequired', text: 'Required value' },
  FieldValueDuplicate: { reason: 'FieldValueDuplicate', text: 'Duplicate value' },
};

function validateRule(
  { rule, program, message }: ReadyRule,
  node: StructuralSchema,
  value: unknown,
  old: unknown,
  path: string,
  run: Run,
): void {
  const type = node.type ?? typeOf(value);
  const said = rule.message?.trim() || rule.rule.trim();
  const invalid = (detail: string) =>
    run.causes.push({
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(type)}: ${detail}`,
      field: path || '<nil>',
    });
  const bindings = old === undefined ? { self: value } : { self: value, oldSelf: old };
  const bound = rule.optionalOldSelf === true ? { self: value, oldSelf: old ?? null } : bindings;
  try {
    if (program.evaluate(bound, run.budget) === true) return;
  } catch (error) {
    if (error instanceof CelCostError) {
      if (run.budget.remaining <= 0) {
        invalid('validation failed due to running out of cost budget, no further validation rules will be run');
      } else {
        invalid(
          `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${said}`,
        );
      }
      throw new OutOfBudget();
    }
    if (!(error instanceof CelEvaluationError)) throw error;
    if (error.message.startsWith('no such overload')) {
      invalid(
        `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${said}`,
      );
    } else invalid(`${error.message} evaluating rule: ${said}`);
    return;
  }
  const detail = messageOf(rule, message, bound, run);
  const { reason, text } = REASONS[rule.reason ?? ''] ?? { reason: 'FieldValueInvalid', text: 'Invalid value' };
  const shown =
    reason === 'FieldValueInvalid' || reason === 'FieldValueDuplicate' ? `${text}: ${JSON.stringify(type)}` : text;
  const field = (path + (rule.fieldPath ?? '')).replace(/^\./, '') || '<nil>';
  const written = reason === 'FieldValueDuplicate' ? shown : `${shown}: ${detail}`;
  run.causes.push({ reason, message: written, field });
}

function messageOf(
  rule: ValidationRule,
  program: CelProgram | undefined,
  bindings: Record<string, unknown>,
  run: Run,
): string {
  const plain = rule.message?.trim() || `failed rule: ${rule.rule.trim()}`;
  if (program === undefined) return plain;
  try {
    const text = program.evaluate(bindings, run.budget);
    // Kubernetes: an expression that gives nothing sensible is passed over.
    if (typeof text === 'string' && text.trim() !== '' && text.length <= 5 * 1024 && !text.includes('\n'))
      return text.trim();
    return plain;
  } catch (error) {
    if (error instanceof CelEvaluationError || error instanceof CelCostError) return plain;
    throw error;
  }
}
