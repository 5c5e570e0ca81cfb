/**
 * JSONPath as CRDs use it: printer columns (`.spec.x`, `.status.conditions[?(@.type=="Ready")].status`, `[*]`, `['a.b']`,
 * slices, `..name`) and the plain field paths of scale and selectable fields. Source: client-go, util/jsonpath; without
 * `{}` templates and `range`.
 */

type Step =
  | { kind: 'field'; name: string }
  | { kind: 'index'; index: number }
  | { kind: 'slice'; from: number | undefined; to: number | undefined; step: number }
  | { kind: 'all' }
  | { kind: 'descend'; name: string }
  | { kind: 'filter'; left: Step[]; operator: string; right: Operand }
  | { kind: 'union'; steps: Step[] };

type Operand = { literal: string | number | boolean | null } | { path: Step[] } | undefined;

export class JsonPathError extends Error {}

const MAX_LENGTH = 1024;
/** Values that one look may touch: `..` in a large object must end. */
const MAX_VISITED = 20_000;

class PathParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Step[] {
    const steps = this.#steps(() => this.#at >= this.#text.length);
    return steps;
  }

  #fail(why: string): never {
    throw new JsonPathError(why);
  }

  #steps(ends: () => boolean): Step[] {
    const steps: Step[] = [];
    while (!ends()) {
      const letter = this.#text[this.#at];
      if (letter === '[') steps.push(this.#bracket());
      else if (letter === '.') {
        this.#at++;
        if (this.#text[this.#at] === '.') {
          this.#at++;
          steps.push({ kind: 'descend', name: this.#name() });
        } else if (this.#text[this.#at] === '*') {
          this.#at++;
          steps.push({ kind: 'all' });
        } else if (this.#text[this.#at] !== '[') {
          const name = this.#name();
          if (name !== '') steps.push({ kind: 'field', name });
          else if (!ends()) this.#fail(`unexpected character ${JSON.stringify(this.#text[this.#at])}`);
        }
      } else if (letter === '$' || letter === '@') this.#at++;
      else {
        const name = this.#name();
        if (name === '') this.#fail(`unrecognized character in action: U+${this.#hex()}`);
        steps.push({ kind: 'field', name });
      }
    }
    return steps;
  }

  #hex(): string {
    return (this.#text.codePointAt(this.#at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  }

  /** A backslash takes the special meaning of the next letter away. */
  #name(): string {
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const letter = this.#text[this.#at] ?? '';
      if (letter === '\\') {
        this.#at++;
        name += this.#text[this.#at] ?? '';
      } else if (/[\w\-/:]/.test(letter) || letter > '\u007f') name += letter;
      else break;
    }
    return name;
  }

  #bracket(): Step {
    this.#at++;
    if (this.#text.startsWith('?(', this.#at)) return this.#filter();
    const end = this.#closing();
    const inside = this.#text.slice(this.#at, end).trim();
    this.#at = end + 1;
    const parts = splitOutsideQuotes(inside, ',');
    if (parts.length > 1) return { kind: 'union', steps: parts.map((part) => this.#element(part.trim())) };
    return this.#element(inside);
  }

  #closing(): number {
    let quote = '';
    for (let at = this.#at; at < this.#text.length; at++) {
      const letter = this.#text[at] ?? '';
      if (letter === '\\') at++;
      else if (quote !== '') quote = letter === quote ? '' : quote;
      else if (letter === "'" || letter === '"') quote = letter;
      else if (letter === ']') return at;
    }
    return this.#fail('unterminated array');
  }

  #element(text: string): Step {
    if (text === '*') return { kind: 'all' };
    const quoted = /^(['"])(.*)\1$/s.exec(text);
    if (quoted) return { kind: 'field', name: (quoted[2] ?? '').replace(/\\(.)/g, '$1') };
    const slice = /^(-?\d+)?(?::(-?\d+)?(?::(-?\d+)?)?)?$/.exec(text);
    if (slice === null || text === '') return this.#fail(`invalid array index ${text}`);
    if (!text.includes(':')) return { kind: 'index', index: Number(text) };
    const [, from, to, step] = slice;
    if (step !== undefined && Number(step) <= 0) this.#fail('step must be > 0');
    const numberOf = (part: string | undefined) => (part === undefined ? undefined : Number(part));
    return { kind: 'slice', from: numberOf(from), to: numberOf(to), step: Number(step ?? 1) };
  }

  #filter(): Step {
    this.#at += 2;
    const left = this.#operandSteps();
    const operator = /^(==|!=|<=|>=|<|>)/.exec(this.#text.slice(this.#at))?.[1] ?? 'exists';
    let right: Operand;
    if (operator !== 'exists') {
      this.#at += operator.length;
      right = this.#operand();
    }
    this.#space();
    if (!this.#text.startsWith(')]', this.#at)) this.#fail('unterminated filter');
    this.#at += 2;
    return { kind: 'filter', left, operator, right };
  }

  #space(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }

  #operandSteps(): Step[] {
    this.#space();
    if (this.#text[this.#at] === '@') this.#at++;
    const steps = this.#steps(() => this.#at >= this.#text.length || /[ )=!<>]/.test(this.#text[this.#at] ?? ''));
    this.#space();
    return steps;
  }

  #operand(): Operand {
    this.#space();
    const rest = this.#text.slice(this.#at);
    const quoted = /^(['"])((?:\\.|(?!\1).)*)\1/s.exec(rest);
    if (quoted) {
      this.#at += quoted[0].length;
      return { literal: (quoted[2] ?? '').replace(/\\(.)/g, '$1') };
    }
    const number = /^-?\d+(\.\d+)?/.exec(rest);
    if (number) {
      this.#at += number[0].length;
      return { literal: Number(number[0]) };
    }
    const word = /^(true|false|null)\b/.exec(rest);
    if (word) {
      this.#at += word[0].length;
      return { literal: JSON.parse(word[0]) as boolean | null };
    }
    if (!rest.startsWith('@') && !rest.startsWith('.') && !rest.startsWith('$')) this.#fail('invalid filter operand');
    return { path: this.#operandSteps() };
  }
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts = [''];
  let quote = '';
  for (const letter of text) {
    if (quote !== '') quote = letter === quote ? '' : quote;
    else if (letter === "'" || letter === '"') quote = letter;
    if (letter === separator && quote === '') parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts;
}

export interface JsonPath {
  /** Every value that the path leads to, in order. Bounded. */
  find(root: unknown): unknown[];
}

/** @throws JsonPathError */
export function parseJsonPath(text: string): JsonPath {
  if (text.length > MAX_LENGTH) throw new JsonPathError(`path is longer than ${MAX_LENGTH} characters`);
  const steps = new PathParser(text).parse();
  return {
    find(root) {
      const visit = { left: MAX_VISITED };
      return follow(steps, [root], root, visit);
    },
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function follow(steps: readonly Step[], from: readonly unknown[], root: unknown, visit: { left: number }): unknown[] {
  let found = [...from];
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of found) {
      for (const each of stepFrom(step, value, root, visit)) {
        if (visit.left-- <= 0) return [];
        next.push(each);
      }
    }
    found = next;
  }
  return found;
}

/** One after the other, so that whoever has seen enough can leave. */
function* stepFrom(step: Step, value: unknown, root: unknown, visit: { left: number }): Generator<unknown> {
  switch (step.kind) {
    case 'field':
      if (isRecord(value) && Object.hasOwn(value, step.name)) yield value[step.name];
      return;
    case 'index': {
      const at = Array.isArray(value) ? (step.index < 0 ? value.length + step.index : step.index) : -1;
      if (Array.isArray(value) && at >= 0 && at < value.length) yield value[at];
      return;
    }
    case 'slice': {
      if (!Array.isArray(value)) return;
      const part = value.slice(step.from, step.to);
      for (let at = 0; at < part.length; at += step.step) yield part[at];
      return;
    }
    case 'all':
      if (Array.isArray(value)) yield* value;
      else if (isRecord(value)) yield* Object.values(value);
      return;
    case 'descend':
      yield* descend(step.name, value, visit);
      return;
    case 'filter':
      if (!Array.isArray(value)) return;
      for (const each of value) {
        if (visit.left <= 0) return;
        if (holds(step, each, root, visit)) yield each;
      }
      return;
    case 'union':
      for (const each of step.steps) yield* stepFrom(each, value, root, visit);
  }
}

function descend(name: string, value: unknown, visit: { left: number }): unknown[] {
  const found: unknown[] = [];
  const pending = [value];
  for (let next = 0; next < pending.length; next++) {
    if (visit.left-- <= 0) return [];
    const at = pending[next];
    if (isRecord(at) && Object.hasOwn(at, name)) found.push(at[name]);
    // Not spread: a list may be longer than a call has room for arguments.
    if (typeof at === 'object' && at !== null) for (const each of Object.values(at)) pending.push(each);
  }
  return found;
}

function holds(
  filter: Extract<Step, { kind: 'filter' }>,
  value: unknown,
  root: unknown,
  visit: { left: number },
): boolean {
  const [left] = follow(filter.left, [value], root, visit);
  if (filter.operator === 'exists') return left !== undefined;
  if (filter.right === undefined || left === undefined) return false;
  const right = 'literal' in filter.right ? filter.right.literal : follow(filter.right.path, [value], root, visit)[0];
  const ordered = typeof left === typeof right && (typeof left === 'number' || typeof left === 'string');
  switch (filter.operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return ordered && (left as number) < (right as number);
    case '<=':
      return ordered && (left as number) <= (right as number);
    case '>':
      return ordered && (left as number) > (right as number);
    default:
      return ordered && (left as number) >= (right as number);
  }
}
