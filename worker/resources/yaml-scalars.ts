/**
 * What a scalar of YAML means: as Kubernetes' reader, go-yaml v2, has it. Words of YAML 1.1 are flags (yes, on, n), times stay
 * text, numbers may be octal, hexadecimal or have underscores. How scalars become an object is `yaml-compose.ts`.
 * Source: go.yaml.in/yaml/v2, resolve.go; sigs.k8s.io/yaml, convertToJSONableObject (keys)
 */
import { base64ErrorAt, decodeBase64 } from './base64.ts';
import { YamlError } from './yaml-error.ts';

/** bigint: an integer of 64 bits that a number does not hold. */
export type Scalar = string | number | bigint | boolean | null;

const WORDS = new Map<string, Scalar>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((each) => [each, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((each) => [each, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((each) => [each, null] as const),
  ...['.nan', '.NaN', '.NAN'].map((each) => [each, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((each) => [each, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((each) => [each, Number.NEGATIVE_INFINITY] as const),
]);
const LONGEST_WORD = 5;

/** By the first character: whether a text can be a word, or a number, at all. Most cannot, and that is the way to be fast. */
const FIRST = new Uint8Array(128);
const WORD = 1;
const NUMBER = 2;
const POINT = 3;
for (const each of 'yYnNtTfFoO~') FIRST[each.charCodeAt(0)] = WORD;
for (const each of '0123456789+-') FIRST[each.charCodeAt(0)] = NUMBER;
FIRST['.'.charCodeAt(0)] = POINT;

const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
/** Digits that a number surely holds; and those of 64 bits, in base two. */
const SAFE_DIGITS = 15;
const MOST_DIGITS = 64;
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

function integerOf(plain: string): number | bigint | undefined {
  const match = INTEGER.exec(plain);
  if (match === null) return undefined;
  const [, sign, hexadecimal, binary, octal, decimal] = match;
  // Go: an integer has no negative zero.
  if (decimal !== undefined && plain.length <= SAFE_DIGITS) return Number(plain) + 0;
  const [prefix, all] =
    hexadecimal !== undefined
      ? ['0x', hexadecimal]
      : binary !== undefined
        ? ['0b', binary]
        : octal !== undefined
          ? ['0o', octal]
          : ['', decimal ?? ''];
  const digits = all.replace(/^0+(?=.)/, '');
  if (digits.length > MOST_DIGITS) return undefined;
  const size = BigInt(`${prefix}${digits}`);
  if (size > (sign === '' ? MAX_UINT64 : sign === '-' ? MAX_INT64 + 1n : MAX_INT64)) return undefined;
  const value = sign === '-' ? -size : size;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function floatOf(plain: string): number | undefined {
  if (!FLOAT.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

const withoutUnderscores = (text: string): string => (text.includes('_') ? text.replaceAll('_', '') : text);

/** A scalar without quotes and without a tag. */
export function resolvePlain(text: string): Scalar {
  const code = text.charCodeAt(0);
  const first = text === '' ? WORD : code < 128 ? FIRST[code] : 0;
  if (first === 0) return text;
  if (text.length <= LONGEST_WORD) {
    const word = WORDS.get(text);
    if (word !== undefined) return word;
  }
  if (first === NUMBER) {
    const plain = withoutUnderscores(text);
    return integerOf(plain) ?? floatOf(plain) ?? text;
  }
  return first === POINT ? (floatOf(text) ?? text) : text;
}

type Tag = '!!str' | '!!null' | '!!bool' | '!!int' | '!!float';

function tagOf(value: Scalar, text: string): Tag {
  if (value === null) return '!!null';
  if (typeof value === 'string') return '!!str';
  if (typeof value === 'boolean') return '!!bool';
  return integerOf(withoutUnderscores(text)) === undefined ? '!!float' : '!!int';
}

const RESOLVED = new Set(['!!null', '!!bool', '!!int', '!!float']);
const TIME = /^\d{4}-\d\d?-\d\d?(?:[Tt ]\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;

/** A scalar with a tag, quoted or not; tags of no meaning here leave text. @param tag short, as `!!int` */
export function resolveTagged(tag: string, text: string): Scalar {
  if (tag === '!!binary') return binaryText(text);
  if (tag === '!!timestamp') {
    if (TIME.test(text)) return text;
  } else if (!RESOLVED.has(tag)) return text;
  const value = resolvePlain(text);
  const found = tagOf(value, text);
  if (found === tag || (tag === '!!float' && found === '!!int')) return value;
  throw new YamlError(`yaml: cannot decode ${found} \`${text}\` as a ${tag}`);
}

function binaryText(text: string): string {
  if (base64ErrorAt(text) !== undefined) throw new YamlError('yaml: !!binary value contains invalid base64 data');
  return new TextDecoder().decode(decodeBase64(text.replace(/[\r\n]/g, '')));
}

/** A scalar as the name of a field. @param text as it was written @throws YamlError for null, which is none */
export function keyOf(value: Scalar, text: string): string {
  if (typeof value === 'string') return value;
  if (value === null) throw new YamlError('unsupported map key of type: %!s(<nil>), key: <nil>');
  if (typeof value === 'bigint' && value > MAX_INT64) {
    throw new YamlError(`unsupported map key of type: uint64, key: 0x${value.toString(16)}`);
  }
  if (typeof value === 'number' && integerOf(withoutUnderscores(text)) === undefined) return floatKey(value);
  return String(value);
}

/** Go's FormatFloat(value, 'g', -1, 32): as few digits as tell it from other floats of 32 bits; from a million on with an exponent. */
function floatKey(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  const single = Math.fround(value);
  if (!Number.isFinite(single)) return single > 0 ? '.inf' : '-.inf';
  if (single === 0) return Object.is(single, -0) ? '-0' : '0';
  let shortest = single.toExponential();
  for (let digits = 0; digits < 9; digits++) {
    shortest = single.toExponential(digits);
    if (Math.fround(Number(shortest)) === single) break;
  }
  const exponent = Number(shortest.slice(shortest.indexOf('e') + 1));
  if (exponent >= -4 && exponent < 6) return String(Number(shortest));
  return shortest.replace(/e([-+])(\d)$/, 'e$10$2');
}
