/** Base64 as JSON carries bytes: where a text stops being it, and the way there and back. Not the URL-safe form. */

const DIGIT = /^[A-Za-z0-9+/]$/;

/** Go's CorruptInputError offset of a standard, padded text; undefined when it is sound. Line ends are ignored, as Go does. */
export function base64ErrorAt(text: string): number | undefined {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined;
  let digits = 0;
  let at = 0;
  const skipLineEnds = () => {
    while (at < text.length && (text[at] === '\n' || text[at] === '\r')) at++;
  };
  for (skipLineEnds(); at < text.length; skipLineEnds()) {
    const character = text[at] ?? '';
    if (character === '=') return paddingErrorAt(text, at, digits);
    if (!DIGIT.test(character)) return at;
    digits++;
    at++;
  }
  return digits % 4 === 0 ? undefined : text.length - (digits % 4);
}

function paddingErrorAt(text: string, start: number, digits: number): number | undefined {
  const missing = (4 - (digits % 4)) % 4;
  if (missing === 0 || missing === 3) return start;
  let at = start;
  for (let left = missing; left > 0; left--) {
    while (text[at] === '\n' || text[at] === '\r') at++;
    if (at >= text.length) return text.length;
    if (text[at] !== '=') return at;
    at++;
  }
  while (text[at] === '\n' || text[at] === '\r') at++;
  return at < text.length ? at : undefined;
}

/** In pieces, so that a large body does not overflow the argument list. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary);
}

export function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** How many bytes a sound text stands for. */
export function decodedLength(text: string): number {
  const plain = text.replace(/[\r\n]/g, '');
  const padding = plain.endsWith('==') ? 2 : plain.endsWith('=') ? 1 : 0;
  return (plain.length / 4) * 3 - padding;
}
