/**
 * The formats of strings and numbers that a custom resource's schema may ask for; others are documentation.
 * Source: apiextensions-apiserver, pkg/apiserver/validation/formats.go
 */
import { base64ErrorAt } from './base64.ts';
import { parseDurationMs } from './cel-values.ts';
import { isIPv4, isIPv6 } from './names.ts';

const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
const isDateTime = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?$/.test(text) &&
  !Number.isNaN(Date.parse(text.replace(' ', 'T')));
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const uuidOf = (version: number) => (text: string) =>
  UUID.test(text) && text.replaceAll('-', '')[12] === String(version);
const HOSTNAME =
  /^(?:[a-zA-Z0-9\p{L}](?:[a-zA-Z0-9\p{L}-]{0,61}[a-zA-Z0-9\p{L}])?)(?:\.[a-zA-Z0-9\p{L}](?:[a-zA-Z0-9\p{L}-]{0,61}[a-zA-Z0-9\p{L}])?)*$/u;

function isCidr(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= most;
}

const isUri = (text: string): boolean =>
  /^(?:[A-Za-z][A-Za-z0-9+.-]*:[^\s]+|\/[^\s]*)$/.test(text) && !/%(?![0-9a-fA-F]{2})/.test(text);

const STRINGS: Record<string, (text: string) => boolean> = {
  bsonobjectid: (text) => /^[0-9a-fA-F]{24}$/.test(text),
  uri: isUri,
  email: (text) => /^[^\s@<>]+@[^\s@<>]+$/.test(text),
  hostname: (text) => text.length <= 255 && HOSTNAME.test(text),
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text),
  cidr: isCidr,
  mac: (text) => /^(?:[0-9a-fA-F]{2}([:-]))(?:[0-9a-fA-F]{2}\1){4,6}[0-9a-fA-F]{2}$/.test(text),
  uuid: (text) => UUID.test(text),
  uuid3: uuidOf(3),
  uuid4: uuidOf(4),
  uuid5: uuidOf(5),
  isbn: (text) => isIsbn(text, 10) || isIsbn(text, 13),
  isbn10: (text) => isIsbn(text, 10),
  isbn13: (text) => isIsbn(text, 13),
  creditcard: (text) => /^\d{12,19}$/.test(text.replace(/[ -]/g, '')) && luhn(text.replace(/[ -]/g, '')),
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) => /^rgb\(\s*(?:\d{1,3}%?\s*,\s*){2}\d{1,3}%?\s*\)$/.test(text),
  byte: (text) => base64ErrorAt(text) === undefined,
  password: () => true,
  date: isDate,
  duration: (text) => parseDurationMs(text) !== undefined || /^\d+\s*(?:w|d|weeks?|days?|hours?)$/.test(text),
  datetime: isDateTime,
  'date-time': isDateTime,
  'k8s-short-name': (text) => /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text),
  'k8s-long-name': (text) =>
    text.length <= 253 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/.test(text),
};

function luhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

function isIsbn(text: string, length: 10 | 13): boolean {
  const digits = text.replace(/[ -]/g, '');
  if (length === 10) {
    if (!/^\d{9}[\dXx]$/.test(digits)) return false;
    return (
      [...digits].reduce((sum, each, index) => sum + (10 - index) * (/x/i.test(each) ? 10 : Number(each)), 0) % 11 === 0
    );
  }
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((sum, each, index) => sum + Number(each) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

const RANGES: Record<string, readonly [number, number]> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
};

/** Whether a value of the right type has the format. A format that is not known asks for nothing. */
export function hasFormat(format: string, value: unknown): boolean {
  if (typeof value === 'string') return !Object.hasOwn(STRINGS, format) || (STRINGS[format]?.(value) ?? true);
  if (typeof value === 'number' && Number.isInteger(value)) {
    const range = Object.hasOwn(RANGES, format) ? RANGES[format] : undefined;
    return range === undefined || (value >= range[0] && value <= range[1]);
  }
  return true;
}
