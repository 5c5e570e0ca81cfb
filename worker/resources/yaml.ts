/**
 * YAML bodies, read as the apiserver's reader does: the first document, YAML 1.1 words (yes, on), merge keys, no times.
 * Bounded before anything is built: lines, nodes, nesting, and what aliases expand to. Duplicate keys are reported, not
 * refused. The parser is js-yaml's, as far as its events; what they mean is `yaml-compose.ts`.
 */
import { type Event, parseEvents, YAMLException } from 'js-yaml';
import { compose, MAX_DEPTH, tooDeep } from './yaml-compose.ts';
import { YamlError } from './yaml-error.ts';
import { loosened } from './yaml-flow.ts';

/** Names, values, lists and maps: an object of 1.5 MB in lines as people write them has 80,000. */
const MAX_NODES = 150_000;
/** A list of nothing but dashes has lines and no nodes. */
const MAX_LINES = 300_000;

/** Characters that may be read again after a place was mended; each time the text is read from its beginning. */
const MAX_READ_AGAIN = 2 * 1024 * 1024;

const tooLong = (what: string) => new YamlError(`document has more than ${what}; send it as JSON`);

/**
 * How deep the parser may go, as a number that counts how often it is looked at: the parser does that at each node, and has
 * no other bound for how many there may be.
 */
class NodeBudget {
  #left = MAX_NODES;

  valueOf(): number {
    if (--this.#left < 0) throw tooLong(`${MAX_NODES} values`);
    return MAX_DEPTH + 2;
  }
}

/** Of any kind of line end. */
function checkLines(text: string): void {
  let lines = 0;
  for (const end of ['\n', '\r']) {
    for (let at = text.indexOf(end); at !== -1; at = text.indexOf(end, at + 1)) {
      if (end === '\r' && text[at + 1] === '\n') continue;
      if (++lines > MAX_LINES) throw tooLong(`${MAX_LINES} lines`);
    }
  }
}

const MARKER = /(?:^|[\r\n])(?:---|\.\.\.)(?=[ \t\r\n]|$)/g;
const CONTENT = /(?:^|[\r\n])[ \t]*[^\s#%]/;

/** Up to the mark that ends it: what comes then is not looked at, as upstream. */
function firstDocument(text: string): string {
  MARKER.lastIndex = 0;
  let isOpen = false;
  for (let match = MARKER.exec(text); match !== null; match = MARKER.exec(text)) {
    if (isOpen || CONTENT.test(text.slice(0, match.index))) return text.slice(0, match.index + 1);
    if (match[0].endsWith('.')) throw new YamlError('yaml: did not find expected node content');
    isOpen = true;
  }
  return text;
}

/** Upstream's words, where the parser's reasons can be told from each other. */
const REASONS: Record<string, string> = {
  "expected ':' after a mapping key": "could not find expected ':'",
  'can not read a block mapping entry; a multiline key may not be an implicit key': "could not find expected ':'",
  'the stream contains non-printable characters': 'control characters are not allowed',
  'null byte is not allowed in input': 'control characters are not allowed',
  'expected valid JSON character': 'control characters are not allowed',
  'a line break is expected': 'did not find expected comment or line break',
  'unexpected end of the stream within a double quoted scalar': 'found unexpected end of stream',
  'unexpected end of the stream within a single quoted scalar': 'found unexpected end of stream',
  'bad indentation of a sequence entry': "did not find expected '-' indicator",
  'tab characters must not be used in indentation': 'found character that cannot start any token',
  'unknown escape sequence': 'found unknown escape character',
  'bad indentation of a mapping entry': 'did not find expected key',
};
const MISPLACED = new Set([
  'bad indentation of a mapping entry',
  'end of the stream or a document separator is expected',
]);
const CANNOT_START = new Set(['@', '`', '%', '\t']);

function refusal({ mark, reason }: YAMLException, text: string): YamlError {
  if (reason.startsWith('nesting exceeded')) return tooDeep();
  if (mark === undefined) return new YamlError(`yaml: ${reason}`);
  const next = text[mark.position] ?? '';
  const upstream = CANNOT_START.has(next)
    ? 'found character that cannot start any token'
    : next === ':' && MISPLACED.has(reason)
      ? 'mapping values are not allowed in this context'
      : REASONS[reason];
  return new YamlError(`yaml: line ${mark.line + 1}: ${upstream ?? reason}`);
}

/** With the text that they point into. @throws YamlError */
function eventsOf(text: string): { read: string; events: Event[] } {
  const budget = new NodeBudget() as unknown as number;
  let left = MAX_READ_AGAIN;
  for (let read = text; ; ) {
    try {
      return { read, events: parseEvents(read, { maxDepth: budget }) };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      const { mark, reason } = error;
      const mended =
        mark !== undefined && reason === 'deficient indentation' ? loosened(read, mark.position) : undefined;
      left -= read.length;
      if (mended === undefined || left < 0) throw refusal(error, read);
      read = mended;
    }
  }
}

/** `problems`: duplicate keys, in the words of the apiserver's strict YAML reader. @throws YamlError */
export function parseYaml(text: string): { value: unknown; problems: string[] } {
  checkLines(text);
  const { read, events } = eventsOf(firstDocument(text));
  const { value, problems } = compose(read, events);
  return { value, problems: problems.length === 0 ? [] : [`yaml: unmarshal errors:\n${problems.join('\n')}`] };
}
