/**
 * Regular expressions that users write (patterns of schemas, `matches` in rules): RE2, as in Go, and so linear in the text
 * whatever the pattern. Never JavaScript's RegExp, which one pattern can hold for hours.
 */
import { RE2JS } from 're2js';

/** Longer ones are refused: a compiled pattern takes memory in proportion. */
const MAX_PATTERN = 4096;
/** Compiled patterns kept; the oldest goes first. */
const MAX_KEPT = 500;
const compiled = new Map<string, RE2JS>();

export class PatternError extends Error {}

/** @throws PatternError for what RE2 cannot read, worded as Go's regexp does. */
export function compilePattern(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > MAX_PATTERN) throw new PatternError(`expression is longer than ${MAX_PATTERN} characters`);
  let made: RE2JS;
  try {
    made = RE2JS.compile(pattern);
  } catch (error) {
    throw new PatternError(error instanceof Error ? error.message : String(error));
  }
  if (compiled.size >= MAX_KEPT) for (const oldest of compiled.keys()) if (compiled.delete(oldest)) break;
  compiled.set(pattern, made);
  return made;
}

/** Whether the pattern is found anywhere in the text. @throws PatternError */
export const matchesPattern = (pattern: string, text: string): boolean => compilePattern(pattern).test(text);

/** Up to `limit` matches from the left; all of them when it is negative. @throws PatternError */
export function findMatches(pattern: string, text: string, limit: number): string[] {
  const found: string[] = [];
  const matcher = compilePattern(pattern).matcher(text);
  while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}
