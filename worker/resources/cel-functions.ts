/**
 * The functions that Kubernetes adds to CEL: strings, lists, sets, regular expressions, format, and the kinds of `cel-kinds.ts`.
 * Source: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-cel-libraries
 */
import { Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { charge, chargeSize, textCost } from './cel-cost.ts';
import { registerKinds } from './cel-kinds.ts';
import { findMatches, matchesPattern, PatternError } from './regex.ts';

/** The library has these too, but with JavaScript's regular expressions or letters of all alphabets: ours take their place. */
export const RENAMED: Readonly<Record<string, string>> = {
  matches: 'matchesRE2',
  lowerAscii: 'lowerAsciiOnly',
  upperAscii: 'upperAsciiOnly',
};
/** The library's own, which Kubernetes does not have. */
export const UNKNOWN_METHODS: ReadonlySet<string> = new Set(['json', 'hex', 'base64', 'at', 'string', 'getDate']);

const SYNC = { async: false };

type Handler = (...args: never[]) => unknown;

const regex = <T>(pattern: string, text: string, body: () => T): T => {
  charge(textCost(text) * Math.max(1, pattern.length / 4));
  try {
    return body();
  } catch (error) {
    if (error instanceof PatternError) throw new Error(`error parsing regexp: ${error.message}`);
    throw error;
  }
};

function registerStrings(on: (signature: string, handler: Handler) => void): void {
  const matches = (text: string, pattern: string) => regex(pattern, text, () => matchesPattern(pattern, text));
  on('string.matchesRE2(string): bool', matches);
  on('matchesRE2(string, string): bool', matches);
  on('string.find(string): string', (text: string, pattern: string) =>
    regex(pattern, text, () => findMatches(pattern, text, 1)[0] ?? ''),
  );
  on('string.findAll(string): list<string>', (text: string, pattern: string) =>
    regex(pattern, text, () => findMatches(pattern, text, -1)),
  );
  on('string.findAll(string, int): list<string>', (text: string, pattern: string, limit: bigint) =>
    regex(pattern, text, () => findMatches(pattern, text, Number(limit))),
  );
  on('string.lowerAsciiOnly(): string', (text: string) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase()));
  on('string.upperAsciiOnly(): string', (text: string) => text.replace(/[a-z]+/g, (part) => part.toUpperCase()));
  on('string.charAt(int): string', (text: string, index: bigint) => {
    const letters = [...text];
    if (index < 0n || index > BigInt(letters.length)) throw new Error(`index out of range: ${index}`);
    return letters[Number(index)] ?? '';
  });
  on('string.reverse(): string', (text: string) => [...text].reverse().join(''));
  const replace = (text: string, from: string, to: string, limit: bigint): string => {
    const parts = text.split(from);
    const times = limit < 0n ? parts.length - 1 : Math.min(Number(limit), parts.length - 1);
    charge(textCost(text) + (times * to.length) / 10);
    return (
      parts
        .slice(0, times)
        .map((part) => part + to)
        .join('') + parts.slice(times).join(from)
    );
  };
  on('string.replace(string, string): string', (text: string, from: string, to: string) =>
    replace(text, from, to, -1n),
  );
  on('string.replace(string, string, int): string', replace);
  on('string.format(list<dyn>): string', formatText);
}

const compare = (left: unknown, right: unknown): number =>
  (left as number) < (right as number) ? -1 : (left as number) > (right as number) ? 1 : 0;

function registerLists(on: (signature: string, handler: Handler) => void): void {
  for (const type of ['int', 'double', 'string', 'bool', 'google.protobuf.Timestamp', 'google.protobuf.Duration']) {
    const list = `list<${type}>`;
    on(`${list}.isSorted(): bool`, (items: unknown[]) =>
      items.every((each, index) => index === 0 || compare(items[index - 1], each) <= 0),
    );
    const extreme = (name: string, sign: number) =>
      on(`${list}.${name}(): ${type}`, (items: unknown[]) => {
        if (items.length === 0) throw new Error(`${name} called on empty list`);
        return items.reduce((best, each) => (compare(each, best) * sign > 0 ? each : best));
      });
    extreme('min', -1);
    extreme('max', 1);
  }
  on('list<int>.sum(): int', (items: bigint[]) => items.reduce((sum, each) => sum + each, 0n));
  on('list<double>.sum(): double', (items: number[]) => items.reduce((sum, each) => sum + each, 0));
  on('list<google.protobuf.Duration>.sum(): google.protobuf.Duration', (items: Duration[]) =>
    items.reduce((sum, each) => sum.addDuration(each), new Duration(0n)),
  );
  on('list<A>.indexOf(A): int', (items: unknown[], value: unknown) =>
    BigInt(items.findIndex((each) => same(each, value))),
  );
  on('list<A>.lastIndexOf(A): int', (items: unknown[], value: unknown) =>
    BigInt(items.findLastIndex((each) => same(each, value))),
  );
}

/** Deep equality of CEL values; an int equals a double of the same number. */
export function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left === 'bigint' || typeof right === 'bigint')
    // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number of the same value are equal in CEL
    return typeof left !== 'string' && typeof right !== 'string' && left == right;
  if (left instanceof Date && right instanceof Date) return left.getTime() === right.getTime();
  if (left instanceof Duration && right instanceof Duration) return left.valueOf() === right.valueOf();
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((each, index) => same(each, right[index]));
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) {
    return left.length === right.length && left.every((each, index) => each === right[index]);
  }
  if (left instanceof Map && right instanceof Map) {
    if (left.size !== right.size) return false;
    for (const [key, value] of left) if (!right.has(key) || !same(value, right.get(key))) return false;
    return true;
  }
  return false;
}

class SetsNamespace {}

function registerSets(environment: Environment, on: (signature: string, handler: Handler) => void): void {
  environment.registerType('SetsNamespace', SetsNamespace);
  environment.registerConstant('sets', 'SetsNamespace', new SetsNamespace());
  const includes = (items: unknown[], value: unknown): boolean => {
    chargeSize(items);
    return items.some((each) => same(each, value));
  };
  const contains = (left: unknown[], right: unknown[]) => right.every((each) => includes(left, each));
  on('SetsNamespace.contains(list<A>, list<A>): bool', (_: unknown, left: unknown[], right: unknown[]) =>
    contains(left, right),
  );
  on(
    'SetsNamespace.equivalent(list<A>, list<A>): bool',
    (_: unknown, left: unknown[], right: unknown[]) => contains(left, right) && contains(right, left),
  );
  on('SetsNamespace.intersects(list<A>, list<A>): bool', (_: unknown, left: unknown[], right: unknown[]) =>
    left.some((each) => includes(right, each)),
  );
}

// ---- format -----------------------------------------------------------------------------------------------------

/** `%s` of any value, as cel-go's ext.Strings writes it. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (value instanceof Date) return value.toISOString().replace(/\.?0*Z$/, 'Z');
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`;
  if (value instanceof Map) {
    const entries = [...value].map(([key, each]) => `${textOf(key)}: ${textOf(each)}`).sort();
    return `{${entries.join(', ')}}`;
  }
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (typeof value === 'number') return doubleText(value);
  return String(value);
}

const doubleText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';

const MAX_PRECISION = 1000;

function formatOne(verb: string, precision: number, value: unknown): string {
  const wrong = (): never => {
    throw new Error(`error during formatting: %${verb} cannot format a ${typeof value}`);
  };
  const whole = typeof value === 'bigint';
  switch (verb) {
    case 's':
      return textOf(value);
    case 'd':
      return whole ? String(value) : wrong();
    case 'b':
      return whole ? value.toString(2) : typeof value === 'boolean' ? (value ? '1' : '0') : wrong();
    case 'o':
      return whole ? value.toString(8) : wrong();
    case 'x':
    case 'X': {
      const hex = whole ? value.toString(16) : typeof value === 'string' ? hexOf(value) : wrong();
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'f':
      return typeof value === 'number' ? value.toFixed(Math.min(100, precision)) : wrong();
    case 'e':
      return typeof value === 'number'
        ? value.toExponential(Math.min(100, precision)).replace(/e([+-])(\d)$/, 'e$10$2')
        : wrong();
    default:
      throw new Error(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

const hexOf = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');

function formatText(pattern: string, values: unknown[]): string {
  let next = 0;
  const made = pattern.replace(/%(?:%|(?:\.(\d+))?(.?))/gs, (clause, precision: string | undefined, verb: string) => {
    if (clause === '%%') return '%';
    if (Number(precision ?? 0) > MAX_PRECISION) throw new Error('precision is too large');
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    const text = formatOne(verb, Number(precision ?? 6), values[next++]);
    charge(textCost(text));
    return text;
  });
  return made;
}

/** Adds all of it to an environment that is still open. */
export function registerKubernetesFunctions(environment: Environment): void {
  const on = (signature: string, handler: Handler) =>
    void environment.registerFunction(signature, handler as (...args: unknown[]) => unknown, SYNC);
  registerStrings(on);
  registerLists(on);
  registerSets(environment, on);
  registerKinds(environment, on, new Environment({ enableOptionalTypes: true }));
}
