/**
 * Values of their own in Kubernetes' CEL: quantities, addresses and prefixes, URLs, versions, named formats.
 * Source: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-cel-libraries
 */
import type { Environment } from '@marcbachmann/cel-js';
import { canonicalQuantity, formatNanos, quantityNanos } from '../../shared/quantity.ts';
import {
  checkDNS1035Label,
  checkDNSLabel,
  checkDNSSubdomain,
  checkLabelValue,
  checkQualifiedName,
  isIPv4,
  isIPv6,
} from './names.ts';

type Register = (signature: string, handler: (...args: never[]) => unknown) => void;

const NANO = 1_000_000_000n;

class Quantity {
  readonly nanos: bigint;
  readonly text: string;
  constructor(text: string) {
    const canonical = canonicalQuantity(text);
    if (canonical === undefined) {
      throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    }
    this.text = canonical;
    this.nanos = quantityNanos(canonical);
  }
}

function registerQuantities(environment: Environment, on: Register): void {
  environment.registerType('Quantity', Quantity);
  on('quantity(string): Quantity', (text: string) => new Quantity(text));
  on('isQuantity(string): bool', (text: string) => canonicalQuantity(text) !== undefined);
  on('Quantity.sign(): int', ({ nanos }: Quantity) => (nanos > 0n ? 1n : nanos < 0n ? -1n : 0n));
  on('Quantity.isInteger(): bool', ({ nanos }: Quantity) => nanos % NANO === 0n && isInt64(nanos / NANO));
  on('Quantity.asInteger(): int', ({ nanos }: Quantity) => {
    if (nanos % NANO !== 0n || !isInt64(nanos / NANO)) throw new Error('cannot convert value to integer');
    return nanos / NANO;
  });
  on('Quantity.asApproximateFloat(): double', ({ nanos }: Quantity) => Number(nanos) / 1e9);
  const of = (other: Quantity | bigint): bigint => (typeof other === 'bigint' ? other * NANO : other.nanos);
  for (const type of ['Quantity', 'int']) {
    on(
      `Quantity.add(${type}): Quantity`,
      (left: Quantity, right: Quantity | bigint) => new Quantity(formatNanos(left.nanos + of(right))),
    );
    on(
      `Quantity.sub(${type}): Quantity`,
      (left: Quantity, right: Quantity | bigint) => new Quantity(formatNanos(left.nanos - of(right))),
    );
  }
  on('Quantity.isGreaterThan(Quantity): bool', (left: Quantity, right: Quantity) => left.nanos > right.nanos);
  on('Quantity.isLessThan(Quantity): bool', (left: Quantity, right: Quantity) => left.nanos < right.nanos);
  on('Quantity.compareTo(Quantity): int', (left: Quantity, right: Quantity) => sign(left.nanos - right.nanos));
  environment.registerOperator('Quantity == Quantity', (left: Quantity, right: Quantity) => left.nanos === right.nanos);
}

const isInt64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;
const sign = (value: bigint): bigint => (value > 0n ? 1n : value < 0n ? -1n : 0n);

// ---- Addresses ----------------------------------------------------------------------------------------------------

/** As one number; undefined: no address. No zone, and no IPv4 inside IPv6: Kubernetes takes neither. */
function addressBits(text: string): { bits: bigint; width: 32 | 128 } | undefined {
  if (isIPv4(text)) return { bits: text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n), width: 32 };
  if (!isIPv6(text) || text.includes('.')) return undefined;
  const [head = '', tail] = text.split('::');
  const groups = (half: string | undefined) => (half ? half.split(':') : []);
  const left = groups(head);
  const right = groups(tail);
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  const all = [...left, ...zeros, ...right];
  return { bits: all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n), width: 128 };
}

function addressText(bits: bigint, width: 32 | 128): string {
  if (width === 32) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((bits >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (longest === undefined) return groups.join(':');
  const text = groups.join(':');
  const before = text.slice(0, longest.index);
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `${before}::${after}`;
}

class IP {
  readonly bits: bigint;
  readonly width: 32 | 128;
  constructor(text: string) {
    const parsed = addressBits(text);
    if (parsed === undefined) throw new Error(`IP Address '${text}' parse error during conversion from string`);
    this.bits = parsed.bits;
    this.width = parsed.width;
  }
  toString(): string {
    return addressText(this.bits, this.width);
  }
  within(network: string): boolean {
    return new CIDR(network).contains(this);
  }
}

class CIDR {
  readonly ip: IP;
  readonly prefix: number;
  constructor(text: string) {
    const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
    const address = match === null ? undefined : addressBits(match[1] ?? '');
    if (match === null || address === undefined || Number(match[2]) > address.width) {
      throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
    }
    this.ip = new IP(match[1] ?? '');
    this.prefix = Number(match[2]);
  }
  get shift(): bigint {
    return BigInt(this.ip.width - this.prefix);
  }
  contains(other: IP): boolean {
    return other.width === this.ip.width && other.bits >> this.shift === this.ip.bits >> this.shift;
  }
  toString(): string {
    return `${this.ip}/${this.prefix}`;
  }
}

const succeeds = (body: () => unknown): boolean => {
  try {
    body();
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
};

class IPNamespace {}

function registerAddresses(environment: Environment, on: Register): void {
  environment.registerType('IP', IP);
  environment.registerType('CIDR', CIDR);
  environment.registerType('IPNamespace', IPNamespace);
  environment.registerConstant('ip', 'IPNamespace', new IPNamespace());
  on('ip(string): IP', (text: string) => new IP(text));
  on('isIP(string): bool', (text: string) => addressBits(text) !== undefined);
  on('IPNamespace.isCanonical(string): bool', (_: unknown, text: string) => String(new IP(text)) === text);
  on('IP.family(): int', ({ width }: IP) => (width === 32 ? 4n : 6n));
  on('IP.isUnspecified(): bool', ({ bits }: IP) => bits === 0n);
  const inAny =
    (...networks: string[]) =>
    (ip: IP) =>
      networks.some((each) => ip.within(each));
  on('IP.isLoopback(): bool', inAny('127.0.0.0/8', '::1/128'));
  on('IP.isLinkLocalMulticast(): bool', inAny('224.0.0.0/24', 'ff02::/16'));
  on('IP.isLinkLocalUnicast(): bool', inAny('169.254.0.0/16', 'fe80::/10'));
  const special = inAny(
    '127.0.0.0/8',
    '::1/128',
    '224.0.0.0/4',
    'ff00::/8',
    '169.254.0.0/16',
    'fe80::/10',
    '255.255.255.255/32',
  );
  on('IP.isGlobalUnicast(): bool', (ip: IP) => ip.bits !== 0n && !special(ip));
  on('string(IP): string', (ip: IP) => String(ip));
  environment.registerOperator('IP == IP', (a: IP, b: IP) => a.width === b.width && a.bits === b.bits);
  on('cidr(string): CIDR', (text: string) => new CIDR(text));
  on('isCIDR(string): bool', (text: string) => succeeds(() => new CIDR(text)));
  on('CIDR.containsIP(IP): bool', (cidr: CIDR, ip: IP) => cidr.contains(ip));
  on('CIDR.containsIP(string): bool', (cidr: CIDR, ip: string) => cidr.contains(new IP(ip)));
  const containsNetwork = (outer: CIDR, inner: CIDR) => inner.prefix >= outer.prefix && outer.contains(inner.ip);
  on('CIDR.containsCIDR(CIDR): bool', containsNetwork);
  on('CIDR.containsCIDR(string): bool', (outer: CIDR, inner: string) => containsNetwork(outer, new CIDR(inner)));
  on('CIDR.ip(): IP', ({ ip }: CIDR) => ip);
  on('CIDR.masked(): CIDR', (cidr: CIDR) => {
    const bits = (cidr.ip.bits >> cidr.shift) << cidr.shift;
    return new CIDR(`${addressText(bits, cidr.ip.width)}/${cidr.prefix}`);
  });
  on('CIDR.prefixLength(): int', ({ prefix }: CIDR) => BigInt(prefix));
  on('string(CIDR): string', (cidr: CIDR) => String(cidr));
  environment.registerOperator('CIDR == CIDR', (a: CIDR, b: CIDR) => String(a) === String(b));
}

// ---- URLs ---------------------------------------------------------------------------------------------------------

/** Kubernetes takes absolute URLs and absolute paths. */
class Url {
  readonly scheme: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly query: URLSearchParams;
  constructor(text: string) {
    const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/((?:[^/?#@]*@)?([^/?#]*)))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/s.exec(
      text,
    );
    const [, scheme = '', , host = '', path = '', query = ''] = match ?? [];
    const absolute = match !== null && (scheme !== '' || path.startsWith('/'));
    if (!absolute || /[\s\p{Cc}]/u.test(text) || /%(?![0-9a-fA-F]{2})/.test(text)) {
      throw new Error(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      );
    }
    const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host);
    if (parts === null)
      throw new Error(`URL parse error during conversion from string: invalid host ${JSON.stringify(host)}`);
    this.scheme = scheme;
    this.host = host;
    this.hostname = (parts[1] ?? '').replace(/^\[|\]$/g, '');
    this.port = parts[2] ?? '';
    this.path = path;
    this.query = new URLSearchParams(query);
  }
}

function registerUrls(environment: Environment, on: Register): void {
  environment.registerType('URL', Url);
  on('url(string): URL', (text: string) => new Url(text));
  on('isURL(string): bool', (text: string) => succeeds(() => new Url(text)));
  on('URL.getScheme(): string', ({ scheme }: Url) => scheme);
  on('URL.getHost(): string', ({ host }: Url) => host);
  on('URL.getHostname(): string', ({ hostname }: Url) => hostname);
  on('URL.getPort(): string', ({ port }: Url) => port);
  on('URL.getEscapedPath(): string', ({ path }: Url) => path);
  on('URL.getQuery(): map<string, list<string>>', ({ query }: Url) => {
    const found = new Map<string, string[]>();
    for (const [key, value] of query) found.set(key, [...(found.get(key) ?? []), value]);
    return found;
  });
}

// ---- Versions -----------------------------------------------------------------------------------------------------

const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-.]+)?$/;

class Semver {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];
  constructor(text: string) {
    const match = SEMVER.exec(text);
    if (match === null) throw new Error(`No Major.Minor.Patch elements found: ${JSON.stringify(text)}`);
    this.numbers = [BigInt(match[1] ?? 0), BigInt(match[2] ?? 0), BigInt(match[3] ?? 0)];
    this.pre = match[4]?.split('.') ?? [];
  }
}

function compareSemver(a: Semver, b: Semver): bigint {
  for (const index of [0, 1, 2] as const) {
    const difference = sign(a.numbers[index] - b.numbers[index]);
    if (difference !== 0n) return difference;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return BigInt(Math.sign(b.pre.length - a.pre.length));
  for (let index = 0; index < Math.max(a.pre.length, b.pre.length); index++) {
    const [left, right] = [a.pre[index], b.pre[index]];
    if (left === undefined) return -1n;
    if (right === undefined) return 1n;
    if (left === right) continue;
    const numeric = [left, right].map((each) => /^\d+$/.test(each));
    if (numeric[0] && numeric[1]) return sign(BigInt(left) - BigInt(right));
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1n : 1n;
    return left < right ? -1n : 1n;
  }
  return 0n;
}

function registerVersions(environment: Environment, on: Register): void {
  environment.registerType('Semver', Semver);
  on('semver(string): Semver', (text: string) => new Semver(text));
  on('isSemver(string): bool', (text: string) => SEMVER.test(text));
  on('Semver.major(): int', ({ numbers }: Semver) => numbers[0]);
  on('Semver.minor(): int', ({ numbers }: Semver) => numbers[1]);
  on('Semver.patch(): int', ({ numbers }: Semver) => numbers[2]);
  on('Semver.compareTo(Semver): int', compareSemver);
  on('Semver.isLessThan(Semver): bool', (a: Semver, b: Semver) => compareSemver(a, b) < 0n);
  on('Semver.isGreaterThan(Semver): bool', (a: Semver, b: Semver) => compareSemver(a, b) > 0n);
  environment.registerOperator('Semver == Semver', (a: Semver, b: Semver) => compareSemver(a, b) === 0n);
}

// ---- Named formats ------------------------------------------------------------------------------------------------

class Format {
  readonly check: (text: string) => string[];
  constructor(check: (text: string) => string[]) {
    this.check = check;
  }
}
class FormatNamespace {}

const orPrefix = (check: (text: string) => string[]) => (text: string) => check(text.replace(/-$/, 'a'));
const invalidUnless = (holds: (text: string) => boolean, what: string) => (text: string) => (holds(text) ? [] : [what]);

const FORMATS: Record<string, (text: string) => string[]> = {
  dns1123Label: checkDNSLabel,
  dns1123Subdomain: checkDNSSubdomain,
  dns1035Label: checkDNS1035Label,
  qualifiedName: checkQualifiedName,
  dns1123LabelPrefix: orPrefix(checkDNSLabel),
  dns1123SubdomainPrefix: orPrefix(checkDNSSubdomain),
  dns1035LabelPrefix: orPrefix(checkDNS1035Label),
  labelValue: checkLabelValue,
  uri: invalidUnless((text) => succeeds(() => new Url(text)), 'must be a valid URI'),
  uuid: invalidUnless(
    (text) => /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text),
    'does not match the UUID format',
  ),
  byte: invalidUnless(
    (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
    'invalid base64',
  ),
  date: invalidUnless((text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)), 'invalid date'),
  datetime: invalidUnless(
    (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
    'invalid datetime',
  ),
};

function registerFormats(environment: Environment, on: Register, optionalOf: (value: unknown) => unknown): void {
  environment.registerType('Format', Format);
  environment.registerType('FormatNamespace', FormatNamespace);
  environment.registerConstant('format', 'FormatNamespace', new FormatNamespace());
  for (const [name, check] of Object.entries(FORMATS)) {
    on(`FormatNamespace.${name}(): Format`, () => new Format(check));
  }
  on('FormatNamespace.named(string): optional<Format>', (_: unknown, name: string) =>
    optionalOf(Object.hasOwn(FORMATS, name) ? new Format(FORMATS[name] as Format['check']) : undefined),
  );
  on('Format.validate(string): optional<list<string>>', ({ check }: Format, text: string) => {
    const problems = check(text);
    return optionalOf(problems.length === 0 ? undefined : problems);
  });
}

/** `optional.of` of the library, which it does not export. */
function optionals(environment: Environment): (value: unknown) => unknown {
  environment.registerType('Format', Format);
  const of = environment.clone().registerVariable('x', 'dyn').parse('optional.of(x)');
  const none = environment.clone().parse('optional.none()')() as unknown;
  return (value) => (value === undefined ? none : of({ x: value }));
}

export function registerKinds(environment: Environment, on: Register, plain: Environment): void {
  registerQuantities(environment, on);
  registerAddresses(environment, on);
  registerUrls(environment, on);
  registerVersions(environment, on);
  registerFormats(environment, on, optionals(plain));
}
