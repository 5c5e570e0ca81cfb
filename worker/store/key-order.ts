/** The order of keys: as SQLite compares text, by code point (JavaScript's own `<` differs beyond U+FFFF). */

/** Surrogates stand for code points above all others. */
const rank = (unit: number): number =>
  unit >= 0xd800 && unit <= 0xdfff ? unit + 0x2000 : unit >= 0xe000 ? unit - 0x800 : unit;

export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const difference = left.charCodeAt(i) - right.charCodeAt(i);
    if (difference !== 0) return rank(left.charCodeAt(i)) - rank(right.charCodeAt(i));
  }
  return left.length - right.length;
}

export interface PlaceInOrder {
  namespace: string;
  name: string;
}

export const comparePlaces = (left: PlaceInOrder, right: PlaceInOrder): number =>
  compareText(left.namespace, right.namespace) || compareText(left.name, right.name);
