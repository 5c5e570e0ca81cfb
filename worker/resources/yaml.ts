/**
 * YAML bodies, read as the apiserver's reader does: YAML 1.1 words (yes, on), merge keys, no times, the first document.
 * Bounded: aliases, nesting and the size that aliases expand to. Duplicate keys are reported, not refused.
 */
import { isMap, isScalar, Lexer, LineCounter, parseDocument, visit } from 'yaml';

export class YamlError extends Error {}

const MAX_ALIASES = 100;
const MAX_DEPTH = 200;
/** Values after aliases are written out; a real object of 1.5 MB has fewer. */
const MAX_VALUES = 300_000;
/** Kinds of scalar that YAML 1.1 knows and Kubernetes' reader does not. */
const LEFT_OUT = /timestamp|binary|omap|pairs|set$/;

/** Names, values and signs: the parser takes up to 4 µs for each, and an object that blocks its cluster for a second is enough. */
const MAX_TOKENS = 200_000;

const isIndicator = (character: string | undefined): boolean =>
  character === '-' || character === '?' || character === ':';

/** Nesting of the text as far as it costs: brackets, and sequences begun on one line. Cheap, before the parser recurses. */
function checkDepth(text: string): void {
  let depth = 0;
  let quote = '';
  let indicators = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quote !== '') {
      if (character === '\\' && quote === '"') at++;
      else if (character === quote || character === '\n') quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '[' || character === '{') depth++;
    else if ((character === ']' || character === '}') && depth > 0) depth--;
    if (isIndicator(character) && text[at + 1] === ' ') indicators++;
    else if (character !== ' ') indicators = 0;
    if (depth > MAX_DEPTH || indicators > MAX_DEPTH) throw new YamlError(`exceeded max depth of ${MAX_DEPTH}`);
  }
}

/** What the parser would have to look at, counted by its own reader, which builds nothing. */
function checkTokens(text: string): void {
  let tokens = 0;
  for (const _ of new Lexer().lex(text)) {
    tokens++;
    if (tokens > MAX_TOKENS) throw new YamlError(`document has more than ${MAX_TOKENS} tokens; send it as JSON`);
  }
}

/** Nesting by indentation. */
function checkIndentation(text: string): void {
  const open: number[] = [];
  for (const [, spaces = ''] of text.matchAll(/^( *)[^ \n]/gm)) {
    while ((open.at(-1) ?? -1) >= spaces.length) open.pop();
    open.push(spaces.length);
    if (open.length > MAX_DEPTH) throw new YamlError(`exceeded max depth of ${MAX_DEPTH}`);
  }
}

/** A copy in which nothing is shared and nothing is too deep or too much. */
function expand(value: unknown, budget: { left: number }, depth: number): unknown {
  if (--budget.left < 0) throw new YamlError('document contains excessive aliasing');
  if (depth > MAX_DEPTH) throw new YamlError(`exceeded max depth of ${MAX_DEPTH}`);
  if (Array.isArray(value)) return value.map((each) => expand(each, budget, depth + 1));
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return Number.isNaN(value) ? null : value;
  const copy: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    Object.defineProperty(copy, key, {
      value: expand(each, budget, depth + 1),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return copy;
}

/** The parser makes an error of each sign that is out of place, and only the first is shown: their stacks cost the most. */
function withoutStacks<T>(body: () => T): T {
  const limits = Error as unknown as { stackTraceLimit: number };
  const before = limits.stackTraceLimit;
  limits.stackTraceLimit = 0;
  try {
    return body();
  } finally {
    limits.stackTraceLimit = before;
  }
}

/** `problems`: duplicate keys, in the words of the apiserver's strict YAML reader. @throws YamlError */
export function parseYaml(text: string): { value: unknown; problems: string[] } {
  checkDepth(text);
  checkIndentation(text);
  checkTokens(text);
  const lineCounter = new LineCounter();
  try {
    const document = withoutStacks(() =>
      parseDocument(text, {
        version: '1.1',
        customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !LEFT_OUT.test(tag.tag ?? '')),
        uniqueKeys: false,
        merge: true,
        lineCounter,
        prettyErrors: false,
        logLevel: 'silent',
      }),
    );
    const [error] = document.errors.filter((each) => each.code !== 'MULTIPLE_DOCS');
    if (error) throw new YamlError(`yaml: line ${lineCounter.linePos(error.pos[0]).line}: ${error.message}`);
    const lines: string[] = [];
    visit(document, {
      Map(_, node) {
        const seen = new Set<unknown>();
        for (const { key } of node.items) {
          const name = isScalar(key) ? key.value : undefined;
          if (isMap(key) || name === undefined) continue;
          if (seen.has(name)) {
            const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
            lines.push(`  line ${lineCounter.linePos(offset).line}: key ${JSON.stringify(name)} already set in map`);
          }
          seen.add(name);
        }
      },
    });
    const value = expand(document.toJS({ maxAliasCount: MAX_ALIASES }), { left: MAX_VALUES }, 0);
    return { value, problems: lines.length === 0 ? [] : [`yaml: unmarshal errors:\n${lines.join('\n')}`] };
  } catch (error) {
    if (error instanceof YamlError) throw error;
    // The library's own limits: alias count, unresolved alias, recursion.
    if (error instanceof ReferenceError) throw new YamlError('yaml: document contains excessive aliasing');
    if (error instanceof RangeError) throw new YamlError(`exceeded max depth of ${MAX_DEPTH}`);
    if (error instanceof Error) throw new YamlError(`yaml: ${error.message}`);
    throw error;
  }
}
