/**
 * Quantities: `500m`, `1.5Gi`, `1e3`. Exact, in BigInt nano-units inside; callers get milli-units or whole units.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */

export const QUANTITY_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

type Format = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

interface Quantity {
  /** In units of 10^-9, rounded away from zero, as Kubernetes does. */
  nanos: bigint;
  format: Format;
}

const NANO = 1_000_000_000n;
const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/;
/** Beyond any real amount; keeps `1e999999999` from filling memory. */
const MAX_EXPONENT = 40;
const MAX_LENGTH = 128;

function divideAway(value: bigint, divisor: bigint): bigint {
  const whole = value / divisor;
  return whole * divisor === value ? whole : whole + 1n;
}

function parse(text: string): Quantity | undefined {
  const match = text.length <= MAX_LENGTH ? SHAPE.exec(text) : null;
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = '', exponentText] = match;
  if (whole === '' && fraction === '') return undefined;
  const exponent = exponentText === undefined ? undefined : Number(exponentText);
  if (exponent !== undefined && Math.abs(exponent) > MAX_EXPONENT) return undefined;
  const binary = BINARY[suffix];
  const power = exponent ?? DECIMAL[suffix] ?? 0;
  let scaled = BigInt(whole + fraction) * NANO;
  if (binary !== undefined) scaled <<= BigInt(binary);
  const shift = power - fraction.length;
  const size = shift >= 0 ? scaled * 10n ** BigInt(shift) : divideAway(scaled, 10n ** BigInt(-shift));
  const format = binary !== undefined ? 'BinarySI' : exponent !== undefined ? 'DecimalExponent' : 'DecimalSI';
  return { nanos: sign === '-' ? -size : size, format };
}

/** The largest suffix that leaves no fraction, as the API prints it: `0.5` → `500m`, `1024Mi` → `1Gi`, `1000m` → `1`. */
function format(quantity: Quantity): string {
  const { nanos } = quantity;
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (quantity.format === 'BinarySI' && size >= 1024n * NANO && size % NANO === 0n) {
    let units = size / NANO;
    let step = 0;
    while (step < 6 && units % 1024n === 0n) {
      units /= 1024n;
      step++;
    }
    return `${sign}${units}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'][step]}`;
  }
  let mantissa = size;
  let power = -9;
  while (power < 18 && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    power += 3;
  }
  if (quantity.format === 'DecimalExponent') return `${sign}${mantissa}${power === 0 ? '' : `e${power}`}`;
  const suffix = Object.keys(DECIMAL).find((each) => DECIMAL[each] === power) ?? '';
  return `${sign}${mantissa}${suffix}`;
}

/** The API's one spelling of an amount; undefined when the text is no quantity. */
export function canonicalQuantity(text: string): string | undefined {
  const quantity = parse(text);
  return quantity === undefined ? undefined : format(quantity);
}

function nanosOf(text: string): bigint {
  const quantity = parse(text);
  if (quantity === undefined) throw new RangeError(`${QUANTITY_ERROR}: ${JSON.stringify(text)}`);
  return quantity.nanos;
}

const roundUp = (nanos: bigint, unit: bigint): number =>
  Number(nanos < 0n ? -(-nanos / unit) : divideAway(nanos, unit));

/** Whole units, rounded up: bytes, pods. @throws RangeError for what is no quantity (validated objects have none). */
export const quantityValue = (text: string): number => roundUp(nanosOf(text), NANO);

/** Thousandths, rounded up: milli-CPU. @throws RangeError */
export const quantityMilliValue = (text: string): number => roundUp(nanosOf(text), 1_000_000n);

/** Negative, 0 or positive, as for sorting. @throws RangeError */
export function compareQuantities(left: string, right: string): number {
  const difference = nanosOf(left) - nanosOf(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** In the format of the first that is not zero. @throws RangeError */
export function addQuantities(...texts: readonly string[]): string {
  let sum: Quantity = { nanos: 0n, format: 'DecimalSI' };
  for (const text of texts) {
    const quantity = parse(text);
    if (quantity === undefined) throw new RangeError(`${QUANTITY_ERROR}: ${JSON.stringify(text)}`);
    sum = { nanos: sum.nanos + quantity.nanos, format: sum.nanos === 0n ? quantity.format : sum.format };
  }
  return format(sum);
}

/** Exact, in billionths. @throws RangeError */
export const quantityNanos = (text: string): bigint => nanosOf(text);
/** Billionths as text, in decimal. */
export const formatNanos = (nanos: bigint): string => format({ nanos, format: 'DecimalSI' });

/** Milli-units as text: 1500 → `1500m`, 2000 → `2`. */
export const formatMilli = (milli: number): string =>
  format({ nanos: BigInt(milli) * 1_000_000n, format: 'DecimalSI' });
/** Bytes as text: 1048576 → `1Mi`. */
export const formatBytes = (bytes: number): string => format({ nanos: BigInt(bytes) * NANO, format: 'BinarySI' });
