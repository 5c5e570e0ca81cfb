/**
 * Reads JSON text once without building anything: finds the first syntax error (worded as Go's decoder words it), keys that
 * an object has more than once (JSON.parse would drop them silently), and nesting that is too deep for what comes after.
 */

/** As encoding/json's own limit. */
export const MAX_DEPTH = 10_000;
/** What the rest of the pipeline, which recurses, accepts; no kind of Kubernetes comes near. */
export const MAX_OBJECT_DEPTH = 200;

export class JsonSyntaxError extends Error {}

const quoteCharacter = (character: string): string =>
  character === "'" ? "'\\''" : character === '"' ? "'\"'" : `'${JSON.stringify(character).slice(1, -1)}'`;

interface Frame {
  /** Keys seen, for an object; undefined for a list. */
  keys: Set<string> | undefined;
  path: string;
  index: number;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y;
const SPACE = /[ \t\r\n]*/y;

class Scanner {
  readonly duplicates: string[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Iterative, so that nesting cannot overflow the stack. */
  scan(): void {
    const stack: Frame[] = [];
    let path = '';
    for (;;) {
      // A value is due here.
      this.#space();
      const character = this.#text[this.#at];
      if (character === '{' || character === '[') {
        this.#at++;
        const frame: Frame = { keys: character === '{' ? new Set() : undefined, path, index: 0 };
        stack.push(frame);
        if (stack.length > MAX_DEPTH) throw new JsonSyntaxError('exceeded max depth');
        if (stack.length > MAX_OBJECT_DEPTH) {
          throw new JsonSyntaxError(`nested deeper than ${MAX_OBJECT_DEPTH} levels`);
        }
        this.#space();
        if (this.#text[this.#at] === (frame.keys ? '}' : ']')) {
          this.#at++;
          stack.pop();
        } else {
          path = frame.keys ? this.#key(frame) : `${frame.path}[0]`;
          continue;
        }
      } else {
        this.#scalar(character);
      }
      // A value has ended: close what ends here, or go on to the next member.
      const next = this.#afterValue(stack);
      if (next === undefined) return;
      path = next;
    }
  }

  #afterValue(stack: Frame[]): string | undefined {
    for (;;) {
      this.#space();
      const frame = stack.at(-1);
      const character = this.#text[this.#at];
      if (frame === undefined) {
        if (character !== undefined) this.#invalid('after top-level value');
        return undefined;
      }
      if (character === ',') {
        this.#at++;
        this.#space();
        if (frame.keys) return this.#key(frame);
        frame.index++;
        return `${frame.path}[${frame.index}]`;
      }
      if (character !== (frame.keys ? '}' : ']')) {
        this.#invalid(frame.keys ? 'after object key:value pair' : 'after array element');
      }
      this.#at++;
      stack.pop();
    }
  }

  #key(frame: Frame): string {
    if (this.#text[this.#at] !== '"') {
      this.#invalid('looking for beginning of object key string');
    }
    const literal = this.#string();
    const key = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
    this.#space();
    if (this.#text[this.#at] !== ':') this.#invalid('after object key');
    this.#at++;
    const path = frame.path === '' ? key : `${frame.path}.${key}`;
    if (frame.keys?.has(key)) this.duplicates.push(path);
    frame.keys?.add(key);
    return path;
  }

  #scalar(character: string | undefined): void {
    if (character === '"') {
      this.#string();
      return;
    }
    for (const literal of ['true', 'false', 'null']) {
      if (character !== literal[0]) continue;
      for (const expected of literal) {
        if (this.#text[this.#at] !== expected)
          this.#invalid(`in literal ${literal} (expecting ${quoteCharacter(expected)})`);
        this.#at++;
      }
      return;
    }
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.#text)?.[0];
    if (number === undefined) {
      if (character === '-') {
        this.#at++;
        this.#invalid('in numeric literal');
      }
      this.#invalid('looking for beginning of value');
    }
    this.#at += number.length;
  }

  #string(): string {
    STRING.lastIndex = this.#at;
    const literal = STRING.exec(this.#text)?.[0];
    if (literal !== undefined) {
      this.#at += literal.length;
      return literal;
    }
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] ?? '';
      if (character < ' ') this.#invalid('in string literal');
      if (character !== '\\') continue;
      this.#at++;
      const escaped = this.#text[this.#at];
      if (escaped === 'u') {
        for (let digit = 0; digit < 4; digit++) {
          this.#at++;
          if (!/^[0-9a-fA-F]$/.test(this.#text[this.#at] ?? '')) this.#invalid('in \\u hexadecimal character escape');
        }
      } else if (!/^["\\/bfnrt]$/.test(escaped ?? '')) {
        this.#invalid('in string escape code');
      }
    }
    throw new JsonSyntaxError('unexpected end of JSON input');
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #invalid(where: string): never {
    const character = this.#text[this.#at];
    if (character === undefined) throw new JsonSyntaxError('unexpected end of JSON input');
    throw new JsonSyntaxError(`invalid character ${quoteCharacter(character)} ${where}`);
  }
}

/** Paths of duplicate keys (`spec.containers[0].image`). @throws JsonSyntaxError */
export function scanJson(text: string): { duplicates: string[] } {
  const scanner = new Scanner(text);
  scanner.scan();
  return { duplicates: scanner.duplicates };
}
