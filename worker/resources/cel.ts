/**
 * CEL as Kubernetes speaks it: expressions compiled against typed variables, evaluated with a bound on what they may cost.
 * Used by rules of custom resources (`cel-rules.ts`) and by admission (policies, match conditions). Synchronous and pure.
 *
 * How to use it
 *   const environment = celEnvironment({ object: 'dyn', oldObject: 'dyn', request: 'dyn', params: 'dyn' });
 *   const program = environment.compile('object.spec.replicas <= params.maxReplicas', ['bool']);   // CelCompileError
 *   program.evaluate({ object, oldObject: null, request, params }, budget)                        // CelEvaluationError, CelCostError
 * Bindings are plain JSON; they become CEL values by the variable's declared type (`cel-values.ts`). A variable that is not
 * bound is unknown when it is looked at. Values that an expression gives back are strings, booleans, bigints (int), numbers
 * (double), arrays, Maps, Dates.
 * Source: https://kubernetes.io/docs/reference/using-api/cel/
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { CALL_LIMIT, type CelBudget, CelCostError, charge, chargeDeep, chargeSize, metered } from './cel-cost.ts';
import { RENAMED, registerKubernetesFunctions, same, UNKNOWN_METHODS } from './cel-functions.ts';
import { CelObject, type CelObjectType, type CelType, type ObjectClass, toCel } from './cel-values.ts';

export { type CelBudget, CelCostError } from './cel-cost.ts';

/** The message is what upstream writes behind `compilation failed: `. */
export class CelCompileError extends Error {}
/** The message is cel-go's: `no such key: foo`, `divide by zero` … */
export class CelEvaluationError extends Error {}

export interface CelProgram {
  readonly expression: string;
  /** As cel names it: `bool`, `string`, `list<string>`, `dyn` … */
  readonly type: string;
  /** Whether the expression looks at a variable. */
  uses(variable: string): boolean;
  /** @throws CelEvaluationError, CelCostError */
  evaluate(bindings: Readonly<Record<string, unknown>>, budget?: CelBudget): unknown;
}

export interface CelEnvironment {
  /**
   * @param results the types that the expression may have (`dyn` always may); any when left out.
   * @throws CelCompileError
   */
  compile(expression: string, results?: readonly ('bool' | 'string' | 'int' | 'list<string>')[]): CelProgram;
  /** The same with more variables. */
  with(variables: Readonly<Record<string, CelType>>): CelEnvironment;
}

/** Kubernetes: an expression longer than this is not even parsed. */
const MAX_EXPRESSION = 64 * 1024;
const LIMITS = { maxAstNodes: 20_000, maxDepth: 200, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 32 };

let base: Environment | undefined;

function baseEnvironment(): Environment {
  if (base === undefined) {
    const made = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false, limits: LIMITS });
    registerKubernetesFunctions(made);
    base = made;
  }
  return base;
}

/** Object types under names that never change with what is compiled: the library keeps every name it has ever seen. */
function registerObjects(environment: Environment, roots: Iterable<CelType>): Map<CelObjectType, ObjectClass> {
  const found = new Map<CelObjectType, ObjectClass>();
  const names = new Map<CelObjectType, string>();
  const pending = [...roots];
  for (let type = pending.pop(); type !== undefined; type = pending.pop()) {
    if (typeof type === 'string') continue;
    if ('list' in type) pending.push(type.list);
    else if ('map' in type) pending.push(type.map);
    else if ('optional' in type) pending.push(type.optional);
    else if (!names.has(type.object)) {
      names.set(type.object, `object${names.size}`);
      for (const { type: inner } of type.object.fields.values()) pending.push(inner);
    }
  }
  const nameOf = (type: CelType): string => typeName(type, names);
  for (const [type, name] of names) {
    const ctor = class extends CelObject {
      constructor(raw: Readonly<Record<string, unknown>>, classes: ReadonlyMap<CelObjectType, ObjectClass>) {
        super(raw, type, classes);
      }
    };
    found.set(type, ctor);
    const fields = Object.fromEntries([...type.fields].map(([key, field]) => [key, nameOf(field.type)]));
    environment.registerType(name, { ctor, fields });
    environment.registerOperator(`${name} == ${name}`, same);
  }
  typeNames.set(found, names);
  return found;
}

const typeNames = new WeakMap<ReadonlyMap<CelObjectType, ObjectClass>, ReadonlyMap<CelObjectType, string>>();

function typeName(type: CelType, names: ReadonlyMap<CelObjectType, string>): string {
  if (typeof type !== 'string') {
    if ('list' in type) return `list<${typeName(type.list, names)}>`;
    if ('map' in type) return `map<string, ${typeName(type.map, names)}>`;
    if ('optional' in type) return `optional<${typeName(type.optional, names)}>`;
    return names.get(type.object) ?? 'dyn';
  }
  if (type === 'timestamp') return 'google.protobuf.Timestamp';
  if (type === 'duration') return 'google.protobuf.Duration';
  return type;
}

interface Prepared {
  environment: Environment;
  variables: Readonly<Record<string, CelType>>;
  classes: ReadonlyMap<CelObjectType, ObjectClass>;
}

/** Variables of these types. Object types that several variables share are registered once. */
export function celEnvironment(variables: Readonly<Record<string, CelType>>): CelEnvironment {
  const environment = baseEnvironment().clone();
  const classes = registerObjects(environment, Object.values(variables));
  return declared({ environment, variables: {}, classes }, variables);
}

/** For many environments over the same object types: `with` then costs nothing but the variables. */
export function celTypes(types: readonly CelType[]): CelEnvironment {
  const environment = baseEnvironment().clone();
  return declared({ environment, variables: {}, classes: registerObjects(environment, types) }, {});
}

function declared(parent: Prepared, more: Readonly<Record<string, CelType>>): CelEnvironment {
  const environment = parent.environment.clone();
  const names = typeNames.get(parent.classes) ?? new Map<CelObjectType, string>();
  for (const [name, type] of Object.entries(more)) environment.registerVariable(name, typeName(type, names));
  const prepared: Prepared = { environment, variables: { ...parent.variables, ...more }, classes: parent.classes };
  return {
    compile: (expression, results) => compile(prepared, expression, results),
    with: (variables) => {
      const known = Object.values(variables).every((type) => isKnown(type, parent.classes));
      if (!known) throw new Error('object types of more variables must be among the first ones');
      return declared(prepared, variables);
    },
  };
}

function isKnown(type: CelType, classes: ReadonlyMap<CelObjectType, ObjectClass>): boolean {
  if (typeof type === 'string') return true;
  if ('list' in type) return isKnown(type.list, classes);
  if ('map' in type) return isKnown(type.map, classes);
  if ('optional' in type) return isKnown(type.optional, classes);
  return classes.has(type.object);
}

function compile(prepared: Prepared, expression: string, results: readonly string[] | undefined): CelProgram {
  if (expression.length > MAX_EXPRESSION) {
    throw new CelCompileError(
      `ERROR: <input>:-1:0: expression code point size exceeds limit: size: ${expression.length}, limit ${MAX_EXPRESSION}`,
    );
  }
  const { environment, variables, classes } = prepared;
  let parsed: ReturnType<Environment['parse']>;
  try {
    parsed = environment.parse(expression);
  } catch (error) {
    throw compileError(error, expression, 'Syntax error: ');
  }
  const used = prepareNodes(parsed.ast, expression);
  const checked = parsed.check();
  if (!checked.valid) throw compileError(checked.error, expression, '');
  const type = checked.type ?? 'dyn';
  if (results !== undefined && type !== 'dyn' && !results.includes(type)) {
    throw new CelCompileError(
      results.length === 1
        ? `must evaluate to ${results[0]}`
        : `must evaluate to one of the types: ${results.join(', ')}`,
    );
  }
  meterNodes(parsed.ast);
  return {
    expression,
    type,
    uses: (variable) => used.has(variable),
    evaluate(bindings, budget = { remaining: CALL_LIMIT }) {
      const context = new Map<string, unknown>();
      try {
        return metered(budget, CALL_LIMIT, () => {
          for (const [name, declaredType] of Object.entries(variables)) {
            if (!used.has(name) || !Object.hasOwn(bindings, name)) continue;
            context.set(name, bindingOf(declaredType, bindings[name], classes));
          }
          return parsed(context as unknown as Record<string, unknown>) as unknown;
        });
      } catch (error) {
        if (error instanceof CelCostError) throw error;
        throw new CelEvaluationError(evaluationText(error));
      }
    },
  };
}

let optionalOf: ((value: unknown) => unknown) | undefined;

function bindingOf(type: CelType, value: unknown, classes: Prepared['classes']): unknown {
  if (typeof type === 'object' && 'optional' in type) {
    optionalOf ??= makeOptionals();
    return optionalOf(value === undefined || value === null ? undefined : toCel(type.optional, value, classes));
  }
  if (typeof type === 'string' && type !== 'dyn' && value === null) return null;
  return toCel(type, value, classes) ?? null;
}

/** The library does not export its Optional, but an expression gives one, and so its class. */
function makeOptionals(): (value: unknown) => unknown {
  const environment = new Environment({ enableOptionalTypes: true });
  const none = environment.clone().parse('optional.none()')() as { constructor: { of(value: unknown): unknown } };
  const { constructor: Optional } = none;
  return (value) => Optional.of(value);
}

// ---- The tree -----------------------------------------------------------------------------------------------------

interface Meta {
  evaluate: (evaluator: unknown, ast: Node, context: unknown) => unknown;
  alternate?: Node;
  macro?: Record<string, unknown> & { typeCheck(checker: Checker, macro: unknown, context: unknown): unknown };
}
interface Checker {
  check(node: unknown, context: unknown): unknown;
  getType(name: string): unknown;
}
interface Node {
  op: string;
  args: unknown;
  start: number;
  end: number;
  meta: Meta;
  handle?: (...values: unknown[]) => unknown;
  setMeta(key: string, value: unknown): Node;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'op' in value && 'meta' in value && 'setMeta' in value;

/** Every node once, those that macros turned into included. */
function walk(root: ASTNode, visit: (node: Node) => void): void {
  const seen = new Set<unknown>();
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const at = pending.pop();
    if (typeof at !== 'object' || at === null || seen.has(at)) continue;
    seen.add(at);
    if (isNode(at)) {
      visit(at);
      pending.push(at.args, at.meta.alternate, at.meta.macro);
    } else if (Array.isArray(at)) pending.push(...at);
    else if (Object.getPrototypeOf(at) === Object.prototype) pending.push(...Object.values(at));
  }
}

/** Before the check: our functions in place of the library's. Gives the names that are looked at. */
function prepareNodes(root: ASTNode, expression: string): Set<string> {
  const used = new Set<string>();
  walk(root, (node) => {
    if (node.op === 'id') used.add(String(node.args));
    if ((node.op === 'rcall' || node.op === 'call') && Array.isArray(node.args)) {
      const name = String(node.args[0]);
      if (node.op === 'rcall' && UNKNOWN_METHODS.has(name)) {
        throw new CelCompileError(located(`undeclared reference to '${name}' (in container '')`, node, expression));
      }
      if (Object.hasOwn(RENAMED, name)) node.args[0] = RENAMED[name];
    }
    if (node.meta.macro !== undefined && Array.isArray(node.meta.macro.args)) replaceHas(node.meta.macro);
  });
  return used;
}

interface Evaluator {
  run(node: Node, context: unknown): unknown;
  debugType(value: unknown): { fieldLazy(value: unknown, field: string, node: Node, evaluator: Evaluator): unknown };
}

/** has(): the library's takes plain paths only, and does not ask whether the field is there to be asked for. */
function replaceHas(macro: NonNullable<Meta['macro']>): void {
  const [selected] = macro.args as unknown[];
  const check = macro.typeCheck;
  macro.typeCheck = (checker, made, context) => {
    if (!isNode(selected) || selected.op !== '.') return check.call(macro, checker, made, context);
    checker.check(selected, context);
    return checker.getType('bool');
  };
  macro.evaluate = (evaluator: Evaluator, _: unknown, context: unknown): boolean => {
    const [owner, field] = (selected as Node).args as [Node, string];
    const object = evaluator.run(owner, context);
    const value = evaluator.debugType(object).fieldLazy(object, field, selected as Node, evaluator);
    const optional = value as { hasValue?(): boolean } | null | undefined;
    return typeof optional?.hasValue === 'function' ? optional.hasValue() : value !== undefined;
  };
}

const COMPARISONS = new Set(['==', '!=', 'in']);
const BUILDING = new Set(['+', 'call', 'rcall', 'list', 'map', 'comprehension']);

/** After the check: every evaluation of a node is counted. */
function meterNodes(root: ASTNode): void {
  walk(root, (node) => {
    const { evaluate } = node.meta;
    const builds = BUILDING.has(node.op);
    node.setMeta('evaluate', (evaluator: unknown, ast: Node, context: unknown) => {
      charge(1);
      const value = evaluate.call(node, evaluator, ast, context);
      if (builds) chargeSize(value);
      return value;
    });
    const { handle } = node;
    if (handle === undefined) return;
    if (COMPARISONS.has(node.op)) {
      node.handle = (left, right, ...rest) => {
        chargeDeep(left);
        chargeDeep(right);
        return handle(left, right, ...rest);
      };
    } else if (node.op === 'call' || node.op === 'rcall') {
      node.handle = (values, ...rest) => {
        for (const value of values as unknown[]) chargeSize(value);
        return handle(values, ...rest);
      };
    }
  });
}

// ---- Texts --------------------------------------------------------------------------------------------------------

interface LibraryError {
  summary?: string;
  message: string;
  code?: string;
  range?: { start: number; end: number };
}

const ORIGINAL = new Map(Object.entries(RENAMED).map(([original, ours]) => [ours, original]));
const restored = (text: string): string => text.replace(/\w+/g, (word) => ORIGINAL.get(word) ?? word);

/** cel-go's form: the place, the message, the line and a pointer into it. */
function located(message: string, at: { start: number } | undefined, expression: string): string {
  const start = Math.min(at?.start ?? 0, expression.length);
  const lineStart = expression.slice(0, start).lastIndexOf('\n') + 1;
  const lineEnd = expression.indexOf('\n', start);
  const line = expression.slice(lineStart, lineEnd === -1 ? undefined : lineEnd);
  const lineNumber = expression.slice(0, start).split('\n').length;
  const column = start - lineStart;
  return `ERROR: <input>:${lineNumber}:${column + 1}: ${message}\n | ${line}\n | ${'.'.repeat(column)}^`;
}

function compileMessage(summary: string, code: string | undefined): string {
  const field = /^No such key: (.*)$/s.exec(summary);
  if (field) return `undefined field '${field[1]}'`;
  const name = /^Unknown variable: (.*)$/s.exec(summary);
  if (name) return `undeclared reference to '${name[1]}' (in container '')`;
  const binary = /^no such overload: (.+) (\S+) (.+)$/s.exec(summary);
  if (binary) return `found no matching overload for '_${binary[2]}_' applied to '(${binary[1]}, ${binary[3]})'`;
  const unary = /^no such overload: ([!-])(.+)$/s.exec(summary);
  if (unary) return `found no matching overload for '${unary[1]}_' applied to '(${unary[2]})'`;
  const method = /^found no matching overload for '(?:(\S+)\.)?(\w+)\((.*)\)'$/s.exec(summary);
  if (method) {
    const [, receiver, called, given] = method;
    const applied = receiver === undefined ? `(${given})` : `${receiver}.(${given})`;
    return `found no matching overload for '${called}' applied to '${applied}'`;
  }
  return code === 'unexpected_token' ? `mismatched input: ${summary}` : summary;
}

function compileError(error: unknown, expression: string, prefix: string): CelCompileError {
  if (error instanceof CelCompileError) return error;
  const { summary, message, code, range } = error as LibraryError;
  const text = restored(compileMessage(summary ?? message, code));
  return new CelCompileError(located(prefix + text, range, expression));
}

function evaluationText(error: unknown): string {
  if (error instanceof RangeError) return 'the evaluation ran out of space';
  const { summary, message, code } = error as LibraryError;
  const text = summary ?? message;
  if (code === 'no_such_key') return text.replace(/^No such key/, 'no such key');
  if (code === 'index_out_of_bounds')
    return text.replace(/^No such key: index out of bounds, index (-?\d+).*$/s, 'index out of bounds: $1');
  if (code === 'division_by_zero') return 'division by zero';
  if (code === 'modulo_by_zero') return 'modulus by zero';
  if (code === 'no_matching_overload' || code === 'no_such_overload') return restored(text.replace(/^found /, ''));
  return restored(text);
}
