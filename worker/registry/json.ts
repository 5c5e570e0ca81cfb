/** JSON values as data: deep equality, whatever the order of keys, and copies. */

export type Json = unknown;
export type JsonMap = { [key: string]: unknown };

export const isMap = (value: unknown): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((each, index) => equalJson(each, b[index]));
  }
  if (Array.isArray(b)) return false;
  const left = a as JsonMap;
  const right = b as JsonMap;
  const keys = Object.keys(left).filter((key) => left[key] !== undefined);
  if (keys.length !== Object.keys(right).filter((key) => right[key] !== undefined).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && equalJson(left[key], right[key]));
}

export const copyJson = <T>(value: T): T => structuredClone(value);

/** Sets a key that may be called `__proto__`, as any other. */
export function setKey(map: JsonMap, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

export const ownValue = (map: JsonMap, key: string): unknown => (Object.hasOwn(map, key) ? map[key] : undefined);
