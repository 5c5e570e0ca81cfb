/**
 * The forms that names, keys and values must have, each check answering with upstream's messages ([]: sound).
 * Source: apimachinery, pkg/util/validation; kubernetes, pkg/apis/core/validation.
 */

export const EMPTY = 'must be non-empty';
export const tooLong = (max: number): string => `must be no more than ${max} bytes`;
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

function shape(what: string, expression: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return examples.length === 0
    ? `${what} (regex used for validation is '${expression}')`
    : `${what} (e.g. ${shown}regex used for validation is '${expression}')`;
}

/** One check: a length, a regular expression, and what to say. */
function form(max: number, expression: string, what: string, ...examples: string[]): (value: string) => string[] {
  const whole = new RegExp(`^(?:${expression})$`);
  const message = shape(what, expression, ...examples);
  return (value) => [...(bytesOf(value) > max ? [tooLong(max)] : []), ...(whole.test(value) ? [] : [message])];
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = String.raw`${LABEL}(\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const QUALIFIED_TEXT =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

export const checkDNSLabel = form(
  63,
  LABEL,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  'my-name',
  '123-abc',
);

export const checkDNSSubdomain = form(
  253,
  SUBDOMAIN,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);

export const checkDNS1035Label = form(
  63,
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  'my-name',
  'abc-123',
);

export const checkLabelValue = form(
  63,
  `(${QUALIFIED})?`,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  'MyValue',
  'my_value',
  '12345',
);

const qualifiedPart = form(63, QUALIFIED, QUALIFIED_TEXT, 'MyName', 'my.name', '123-abc');

/** `name` or `example.com/name`: label and annotation keys, finalizers, resource names. */
export function checkQualifiedName(value: string): string[] {
  const parts = value.split('/');
  if (parts.length > 2) {
    const text = shape(QUALIFIED_TEXT, QUALIFIED, 'MyName', 'my.name', '123-abc');
    return [`a qualified name ${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? parts[0] : undefined;
  const prefixErrors = prefix === undefined ? [] : prefix === '' ? [EMPTY] : checkDNSSubdomain(prefix);
  const nameErrors = [...(name === '' ? [EMPTY] : []), ...qualifiedPart(name)];
  return [...prefixErrors.map((each) => `prefix part ${each}`), ...nameErrors.map((each) => `name part ${each}`)];
}

const configKey = form(
  253,
  '[-._a-zA-Z0-9]+',
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  'key.name',
  'KEY_NAME',
  'key-name',
);

/** A key of a ConfigMap or Secret: also a file name, so no way out of its directory. */
export function checkConfigKey(value: string): string[] {
  const errors = configKey(value);
  if (value === '.') errors.push("must not be '.'");
  else if (value === '..') errors.push("must not be '..'");
  else if (value.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

export function checkEnvironmentName(value: string): string[] {
  if (value === '') return [`environment variable name ${EMPTY}`];
  return /^[ -<>-~]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function checkPortName(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 15) errors.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value))
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export const checkPort = (value: number): string[] =>
  value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];

export const isIPv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255 && !/^0\d/.test(part));

export function isIPv6(text: string): boolean {
  const halves = text.split('::');
  if (!text.includes(':') || halves.length > 2) return false;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const all = halves.flatMap(groups);
  const last = all.at(-1) ?? '';
  const mapped = isIPv4(last);
  const hex = mapped ? all.slice(0, -1) : all;
  if (!hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = hex.length + (mapped ? 2 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}

export const checkIP = (value: string): string[] =>
  isIPv4(value) || isIPv6(value) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];

export function checkCIDR(value: string): string[] {
  const [address = '', prefix = '', ...rest] = value.split('/');
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  const sound = rest.length === 0 && /^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= most;
  return sound ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}
