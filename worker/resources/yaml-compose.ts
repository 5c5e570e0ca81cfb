/**
 * The parser's events of one YAML document → a value of JSON: aliases, merge keys, names of fields, keys that stand twice.
 * What aliases and merges would grow to is counted before it is built. What a scalar means is `yaml-scalars.ts`.
 * Source: go.yaml.in/yaml/v2, decode.go
 */
import {
  type DocumentEvent,
  EVENT_ID,
  type Event,
  getScalarValue,
  type MappingEvent,
  SCALAR_STYLE,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml';
import { YamlError } from './yaml-error.ts';
import { keyOf, resolvePlain, resolveTagged, type Scalar } from './yaml-scalars.ts';

/** As of a JSON body. */
export const MAX_DEPTH = 200;
/** Values after aliases are written out; a real object of 1.5 MB has fewer. */
const MAX_VALUES = 300_000;
/** As many characters as a JSON body may have: aliases say no more than JSON could. */
const MAX_CHARACTERS = 3 * 1024 * 1024;
/** Of a list or map in an error, and levels of them. */
const MAX_SHOWN = 3;
/** Kubernetes: its JSON reader, too, names no more of them. */
const MAX_PROBLEMS = 100;

type Composed = Scalar | Composed[] | { [key: string]: Composed };
type Composites = Exclude<Composed, Scalar>;
type OpeningEvent = SequenceEvent | MappingEvent;

interface Anchor {
  value: Composed | undefined;
  values: number;
  characters: number;
  /** Levels of nesting inside. */
  height: number;
}

/** A list or a map that is not closed yet. */
interface Frame {
  into: Composites;
  /** Of a map: the name whose value comes next; `undefined` when a name comes next. */
  key: string | undefined;
  /** The name is no text in YAML: `1`, `yes`. */
  isTypedKey: boolean;
  isMergeKey: boolean;
  anchor: Anchor | undefined;
  valuesBefore: number;
  charactersBefore: number;
  height: number;
  /** Where it stands in the text. */
  offset: number;
}

const isMap = (value: Composed | undefined): value is { [key: string]: Composed } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const tooDeep = (): YamlError => new YamlError(`exceeded max depth of ${MAX_DEPTH}`);
const excessive = () => new YamlError('yaml: document contains excessive aliasing');
const notMergeable = () => new YamlError('yaml: map merge requires map or sequence of maps as the value');

/** Scalars that JSON has. @throws YamlError for numbers that it has not, in Go's words */
function jsonOf(value: Composed): Composed {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  throw new YamlError(`json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`);
}

const YAML_TAGS = 'tag:yaml.org,2002:';
const shortTag = (raw: string): string =>
  raw.startsWith(`!<${YAML_TAGS}`) ? `!!${raw.slice(YAML_TAGS.length + 2, -1)}` : raw;

/** As Go prints a value that nobody gave a form: templates that nobody filled in are known by it, `{{ .Values.x }}`. */
function goText(value: Composed, levels = MAX_SHOWN): string {
  if (typeof value !== 'object') return goScalar(value);
  if (value === null || levels === 0) return 'interface {}(nil)';
  const inner = (each: Composed) => goText(each, levels - 1);
  if (Array.isArray(value)) return `[]interface {}{${value.slice(0, MAX_SHOWN).map(inner).join(', ')}}`;
  const fields = Object.keys(value).slice(0, MAX_SHOWN);
  return `map[interface {}]interface {}{${fields.map((key) => `${goScalar(key)}:${inner(value[key] ?? null)}`).join(', ')}}`;
}

const goScalar = (value: Scalar): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

/** `problems`: keys that stand twice, a line each. @throws YamlError */
export function compose(text: string, events: readonly Event[]): { value: unknown; problems: string[] } {
  const composer = new Composer(text);
  for (const event of events) {
    switch (event.type) {
      case EVENT_ID.DOCUMENT:
        checkDirectives(event);
        break;
      case EVENT_ID.SCALAR:
        composer.scalar(event);
        break;
      case EVENT_ID.SEQUENCE:
        composer.open(event, []);
        break;
      case EVENT_ID.MAPPING:
        composer.open(event, {});
        break;
      case EVENT_ID.ALIAS:
        composer.alias(event.anchorStart, event.anchorEnd);
        break;
      case EVENT_ID.POP:
        // Kubernetes: of several documents the first is the body.
        if (!composer.close()) return { value: composer.root, problems: composer.problems };
        break;
    }
  }
  return { value: composer.root, problems: composer.problems };
}

function checkDirectives({ directives }: DocumentEvent): void {
  for (const directive of directives) {
    if (directive.kind === 'yaml' && directive.version !== '1.1')
      throw new YamlError('yaml: found incompatible YAML document');
    if (directive.kind === 'tag' && (directive.handle === '!!' || directive.prefix.startsWith(YAML_TAGS))) {
      throw new YamlError('yaml: %TAG directives for the tags of YAML itself are not supported');
    }
  }
}

class Composer {
  root: Composed = null;
  readonly problems: string[] = [];
  readonly #text: string;
  readonly #frames: Frame[] = [];
  readonly #anchors = new Map<string, Anchor>();
  /** Where the values of maps stand, for what a merge says twice; kept only where there are merges. */
  readonly #offsets: Map<Composed, Map<string, number>> | undefined;
  #lineEnds: number[] | undefined;
  #values = 0;
  #characters = 0;
  /** Where the last scalar ended: an empty one says nothing of its place. */
  #end = 0;

  constructor(text: string) {
    this.#text = text;
    this.#offsets = /<<['"]?\s*:/.test(text) ? new Map() : undefined;
  }

  scalar(event: ScalarEvent): void {
    const text = this.#textOf(event);
    this.#count(1, text.length);
    const isPlain = event.style === SCALAR_STYLE.PLAIN;
    const tag = event.tagStart < 0 ? '' : shortTag(this.#text.slice(event.tagStart, event.tagEnd));
    const value = tag !== '' ? resolveTagged(tag, text) : isPlain ? resolvePlain(text) : text;
    const offset = this.#startOf(event, this.#startOfText(event));
    if (event.valueEnd >= 0) this.#end = event.valueEnd;
    if (event.anchorStart >= 0) {
      const name = this.#text.slice(event.anchorStart, event.anchorEnd);
      this.#anchors.set(name, { value, values: 1, characters: text.length, height: 0 });
    }
    const frame = this.#frames.at(-1);
    if (frame !== undefined && isMap(frame.into) && frame.key === undefined) {
      frame.isMergeKey = text === '<<' && (tag === '!!merge' || (isPlain && tag === ''));
      frame.key = keyOf(value, text);
      frame.isTypedKey = typeof value !== 'string';
    } else this.#add(value, offset, false);
  }

  open(event: OpeningEvent, into: Composites): void {
    this.#count(1, 2);
    if (this.#frames.length >= MAX_DEPTH) throw tooDeep();
    let anchor: Anchor | undefined;
    if (event.anchorStart >= 0) {
      anchor = { value: undefined, values: 0, characters: 0, height: 0 };
      this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), anchor);
    }
    this.#frames.push({
      into,
      key: undefined,
      isTypedKey: false,
      isMergeKey: false,
      anchor,
      valuesBefore: this.#values - 1,
      charactersBefore: this.#characters - 2,
      height: 1,
      offset: this.#startOf(event, event.start),
    });
  }

  alias(start: number, end: number): void {
    const name = this.#text.slice(start, end);
    const anchor = this.#anchors.get(name);
    if (anchor === undefined) throw new YamlError(`yaml: unknown anchor '${name}' referenced`);
    if (anchor.value === undefined) throw new YamlError(`yaml: anchor '${name}' value contains itself`);
    this.#count(anchor.values, anchor.characters);
    this.#end = end;
    const frame = this.#frames.at(-1);
    if (this.#frames.length + anchor.height > MAX_DEPTH) throw tooDeep();
    if (frame !== undefined && isMap(frame.into) && frame.key === undefined) frame.key = this.#nameOf(anchor.value);
    else this.#add(anchor.value, start, true);
    if (frame !== undefined) frame.height = Math.max(frame.height, anchor.height + 1);
  }

  /** False at the end of the document. */
  close(): boolean {
    const frame = this.#frames.pop();
    if (frame === undefined) return false;
    const { into, anchor, height } = frame;
    if (anchor !== undefined) {
      anchor.value = into;
      anchor.values = this.#values - frame.valuesBefore;
      anchor.characters = this.#characters - frame.charactersBefore;
      anchor.height = height;
    }
    const parent = this.#frames.at(-1);
    if (parent !== undefined && isMap(parent.into) && parent.key === undefined) parent.key = this.#nameOf(into);
    else this.#add(into, frame.offset, false);
    if (parent !== undefined) parent.height = Math.max(parent.height, height + 1);
    return true;
  }

  /** An alias as a name; what is no scalar is none. */
  #nameOf(value: Composed): string {
    if (typeof value !== 'object' || value === null) return keyOf(value, String(value));
    throw new YamlError(`yaml: invalid map key: ${goText(value)}`);
  }

  #add(value: Composed, offset: number, isAlias: boolean): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) {
      this.root = jsonOf(value);
      return;
    }
    const { into, key } = frame;
    if (Array.isArray(into)) {
      into.push(jsonOf(value));
      return;
    }
    if (frame.isMergeKey) this.#merge(into, value, isAlias);
    else {
      if (key !== undefined && Object.hasOwn(into, key))
        this.#twice(frame.isTypedKey ? key : JSON.stringify(key), offset);
      this.#set(into, key ?? '', jsonOf(value), offset);
    }
    frame.key = undefined;
    frame.isTypedKey = false;
    frame.isMergeKey = false;
  }

  #set(into: { [key: string]: Composed }, key: string, value: Composed, offset: number): void {
    if (this.#offsets !== undefined) {
      const offsets = this.#offsets.get(into) ?? new Map<string, number>();
      this.#offsets.set(into, offsets.set(key, offset));
    }
    if (key !== '__proto__') into[key] = value;
    else Object.defineProperty(into, key, { value, writable: true, enumerable: true, configurable: true });
  }

  /** go-yaml: a merge is laid over what the map has by then, and a list of maps from its end. */
  #merge(into: { [key: string]: Composed }, value: Composed, isAlias: boolean): void {
    const sources = Array.isArray(value) && !isAlias ? value.toReversed() : [value];
    for (const source of sources) {
      if (!isMap(source)) throw notMergeable();
      const offsets = this.#offsets?.get(source);
      for (const key of Object.keys(source)) {
        const offset = offsets?.get(key) ?? 0;
        if (Object.hasOwn(into, key)) this.#twice(JSON.stringify(key), offset);
        this.#set(into, key, source[key] ?? null, offset);
      }
    }
  }

  #count(values: number, characters: number): void {
    this.#values += values;
    this.#characters += characters;
    if (this.#values > MAX_VALUES || this.#characters > MAX_CHARACTERS) throw excessive();
  }

  /** go-yaml: a block at the very end of the text has no line end there that was not written. */
  #textOf(event: ScalarEvent): string {
    const text = getScalarValue(this.#text, event);
    if (event.style !== SCALAR_STYLE.LITERAL_BLOCK && event.style !== SCALAR_STYLE.FOLDED_BLOCK) return text;
    const isCut = event.valueEnd === this.#text.length && !/[\r\n]$/.test(this.#text);
    return isCut && text.endsWith('\n') ? text.slice(0, -1) : text;
  }

  #startOfText({ valueStart, style }: ScalarEvent): number {
    if (valueStart < 0) return this.#end;
    // The lines of a block begin below its sign.
    return style === SCALAR_STYLE.LITERAL_BLOCK || style === SCALAR_STYLE.FOLDED_BLOCK ? valueStart - 1 : valueStart;
  }

  /** A node begins where its tag or anchor does. */
  #startOf({ anchorStart, tagStart }: ScalarEvent | OpeningEvent, start: number): number {
    let first = start;
    if (anchorStart >= 0 && anchorStart < first) first = anchorStart;
    if (tagStart >= 0 && tagStart < first) first = tagStart;
    return first;
  }

  #twice(shown: string, offset: number): void {
    if (this.problems.length >= MAX_PROBLEMS) return;
    this.problems.push(`  line ${this.#lineOf(offset)}: key ${shown} already set in map`);
  }

  #lineOf(offset: number): number {
    this.#lineEnds ??= Array.from(this.#text.matchAll(/\r\n?|\n/g), ({ index }) => index);
    const ends = this.#lineEnds;
    let from = 0;
    let to = ends.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((ends[middle] ?? 0) < offset) from = middle + 1;
      else to = middle;
    }
    return from + 1;
  }
}
