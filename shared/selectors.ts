/**
 * Label and field selectors: read from a query string or an object, matched, and written out again.
 * Source: apimachinery, pkg/labels/selector.go and pkg/fields/selector.go; every error text is theirs.
 */
import type { LabelSelector } from './api/meta.ts';
import { badRequest } from './errors.ts';

export interface Requirement {
  key: string;
  operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt';
  /** One for `=`, `!=` (as in and notin), gt and lt; none for exists and absent. Sorted, each once. */
  values: readonly string[];
}

export interface FieldRequirement {
  field: string;
  operator: '=' | '!=';
  value: string;
}

const OPERATORS = ['in', 'notin', '=', '==', '!=', 'gt', 'lt'];
const QUALIFIED =
  /^(?:(?=.{1,253}\/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(?=[^/]{1,63}$)([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const VALUE = /^(?=.{0,63}$)(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const TOKEN = /\s*(==|!=|[=!(),<>]|[^=!(),<>\s]+)/y;
const NAME_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (;;) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) return text.slice(start).trim() === '' ? tokens : [...tokens, text.slice(start).trim()];
    tokens.push(match[1] ?? '');
  }
}

const isIdentifier = (token: string | undefined): token is string => token !== undefined && !/^[=!(),<>]/.test(token);

class SelectorParser {
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    while (this.#peek() !== undefined) {
      if (!isIdentifier(this.#peek()) && this.#peek() !== '!') {
        throw badRequest(`found '${this.#peek()}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#take();
      if (next === undefined) break;
      if (next !== ',') throw badRequest(`found '${next}', expected: ',' or 'end of string'`);
      if (!isIdentifier(this.#peek()) && this.#peek() !== '!') {
        throw badRequest(`found '${this.#peek() ?? ''}', expected: identifier after ','`);
      }
    }
    return requirements;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #take(): string | undefined {
    return this.#tokens[this.#at++];
  }

  #requirement(): Requirement {
    const absent = this.#peek() === '!';
    if (absent) this.#at++;
    const key = this.#take();
    if (!isIdentifier(key)) fail(`found '${key ?? ''}', expected: identifier`);
    checkKey(key);
    const next = this.#peek();
    if (next === undefined || next === ',') return { key, operator: absent ? 'absent' : 'exists', values: [] };
    const operator = this.#take();
    switch (operator) {
      case '=':
      case '==':
        return checked({ key, operator: 'in', values: [this.#exactValue()] });
      case '!=':
        return checked({ key, operator: 'notin', values: [this.#exactValue()] });
      case '>':
      case '<':
        return checked({ key, operator: operator === '>' ? 'gt' : 'lt', values: [this.#exactValue()] });
      case 'in':
      case 'notin':
        return checked({ key, operator, values: this.#values() });
      default:
        fail(`found '${operator ?? ''}', expected: ${OPERATORS.join(', ')}`);
    }
  }

  #exactValue(): string {
    const next = this.#peek();
    if (next === undefined || next === ',') return '';
    this.#at++;
    if (!isIdentifier(next)) fail(`found '${next}', expected: identifier`);
    return next;
  }

  #values(): string[] {
    const open = this.#take();
    if (open !== '(') fail(`found '${open ?? ''}' expected: '('`);
    const values = new Set<string>();
    let expectsValue = true;
    for (;;) {
      const token = this.#take();
      if (token === ')') {
        if (expectsValue) values.add('');
        return [...values].sort();
      }
      if (token === ',') {
        if (expectsValue) values.add('');
        expectsValue = true;
      } else if (isIdentifier(token) && expectsValue) {
        values.add(token);
        expectsValue = false;
      } else fail(`found '${token ?? ''}', expected: ',', ')' or identifier`);
    }
  }
}

function fail(why: string): never {
  throw badRequest(`unable to parse requirement: ${why}`);
}

function checkKey(key: string): void {
  if (!QUALIFIED.test(key)) fail(`<nil>: Invalid value: ${JSON.stringify(key)}: ${NAME_TEXT}`);
}

function checked(requirement: Requirement): Requirement {
  const { key, operator, values } = requirement;
  if ((operator === 'gt' || operator === 'lt') && !/^[+-]?\d+$/.test(values[0] ?? '')) {
    const at = `values[0]: Invalid value: ${JSON.stringify(values[0])}`;
    fail(`${at}: for 'Gt', 'Lt' operators, the value must be an integer`);
  }
  for (const [index, value] of values.entries()) {
    if (!VALUE.test(value)) fail(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${VALUE_TEXT}`);
  }
  return requirement;
}

/** `app=web,tier in (a,b),!old`. @throws StatusError 400 */
export const parseLabelSelector = (text: string): Requirement[] => new SelectorParser(text).parse();

export function matchesRequirement(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
      return value === undefined || !requirement.values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'gt':
    case 'lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const [left, right] = [BigInt(value), BigInt(requirement.values[0] ?? '0')];
      return requirement.operator === 'gt' ? left > right : left < right;
    }
  }
}

const labelOf = (labels: Record<string, string> | undefined, key: string): string | undefined =>
  labels && Object.hasOwn(labels, key) ? labels[key] : undefined;

export const matchesLabels = (
  requirements: readonly Requirement[],
  labels: Record<string, string> | undefined,
): boolean => requirements.every((each) => matchesRequirement(each, labelOf(labels, each.key)));

const OBJECT_OPERATORS = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent' } as const;

/** The requirements of an object's selector. Kubernetes: undefined selects nothing, `{}` everything. */
export function requirementsOf(selector: LabelSelector): Requirement[] {
  const exact = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'in', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }): Requirement => ({
      key,
      operator: OBJECT_OPERATORS[operator],
      values: [...new Set(values ?? [])].sort(),
    }),
  );
  return [...exact, ...expressions];
}

export const matchesLabelSelector = (
  selector: LabelSelector | undefined,
  labels: Record<string, string> | undefined,
): boolean => selector !== undefined && matchesLabels(requirementsOf(selector), labels);

/** A Service's selector: a plain map; undefined or empty selects nothing. */
export const matchesMap = (
  selector: Record<string, string> | undefined,
  labels: Record<string, string> | undefined,
): boolean => {
  const entries = Object.entries(selector ?? {});
  return entries.length > 0 && entries.every(([key, value]) => labelOf(labels, key) === value);
};

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case 'absent':
      return `!${key}`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${values.join(',')})`;
  }
}

/** As `metav1.FormatLabelSelector` and scale's status.selector: `app=web,tier in (a,b)`; `<none>` for an empty one. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '<none>';
  const exact = new Set(Object.keys(selector.matchLabels ?? {}));
  const parts = requirementsOf(selector)
    .map((each, index) => ({ each, plain: index < exact.size }))
    .sort((left, right) => (left.each.key < right.each.key ? -1 : left.each.key > right.each.key ? 1 : 0))
    .map(({ each, plain }) => (plain ? `${each.key}=${each.values[0]}` : formatRequirement(each)));
  return parts.length === 0 ? '<none>' : parts.join(',');
}

function splitTerms(text: string): string[] {
  if (text === '') return [];
  const terms: string[] = [''];
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '\\') terms.push(`${terms.pop()}${text.slice(at, ++at + 1)}`);
    else if (character === ',') terms.push('');
    else terms.push(`${terms.pop()}${character}`);
  }
  return terms;
}

function splitTerm(term: string): { field: string; operator: string; value: string } | undefined {
  for (let at = 0; at < term.length; at++) {
    if (term[at] === '\\') {
      at++;
      continue;
    }
    const operator = ['!=', '==', '='].find((each) => term.startsWith(each, at));
    if (operator) return { field: term.slice(0, at), operator, value: term.slice(at + operator.length) };
  }
  return undefined;
}

function unescapeValue(value: string): string {
  let plain = '';
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? '';
    if (character === '\\') {
      const next = value[++at];
      if (next !== '\\' && next !== ',' && next !== '=') {
        throw badRequest(`invalid field selector: invalid escape sequence: \\${next ?? ''}`);
      }
      plain += next;
    } else if (character === ',' || character === '=') {
      throw badRequest(`invalid field selector: unescaped character in value: ${character}`);
    } else plain += character;
  }
  return plain;
}

/** `metadata.name=web,spec.nodeName!=m1`. Whether the resource has such fields is for the caller. @throws StatusError 400 */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => {
      const parts = splitTerm(term);
      if (parts === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      const operator = parts.operator === '!=' ? '!=' : '=';
      return { field: parts.field, operator, value: unescapeValue(parts.value) };
    });
}

export const matchesFields = (requirements: readonly FieldRequirement[], fields: Record<string, string>): boolean =>
  requirements.every((each) => ((fields[each.field] ?? '') === each.value) === (each.operator === '='));
