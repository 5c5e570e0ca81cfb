/**
 * Whether two JSON values say the same, whatever the order of their keys: how a controller finds out that there is nothing
 * to write. An absent key, null-free objects assumed, equals `undefined`.
 */
export function isEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    return (
      Array.isArray(left) &&
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((each, index) => isEqual(each, right[index]))
    );
  }
  const one = left as Record<string, unknown>;
  const other = right as Record<string, unknown>;
  return (
    Object.keys(one).every((key) => isEqual(one[key], other[key])) &&
    Object.keys(other).every((key) => key in one || other[key] === undefined)
  );
}

/** The value with keys in code unit order and absent ones left out: equal values give equal texts. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    const entries = Object.entries(each).filter((entry) => entry[1] !== undefined);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
