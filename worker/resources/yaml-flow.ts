/**
 * Lists and maps in brackets, and quoted texts, whose lines stand further left than YAML 1.2 wants, as people write them
 * (`args: [`, and its `]` below `args`); and tabs between brackets. Kubernetes' reader takes both, the parser refuses the
 * first such place. Here that place is mended: spaces mean nothing there, and no line becomes another.
 */

/** More than most things are indented; what is not enough is found wanting, and mended, again. */
const MARGIN = ' '.repeat(80);

function lineStartOf(text: string, at: number): number {
  let start = at;
  while (start > 0 && text[start - 1] !== '\n' && text[start - 1] !== '\r') start--;
  return start;
}

/**
 * @param at where the parser says that the indentation does not do: in brackets or inside quotes, always.
 * @returns undefined when this is none of the places that can be mended.
 */
export function loosened(text: string, at: number): string | undefined {
  const start = lineStartOf(text, at);
  const before = text.slice(start, at);
  if (before.trim() === '') return `${text.slice(0, start)}${MARGIN}${text.slice(start)}`;
  // Tabs before the place, or before the bracket that has just been opened: they only part one thing from another.
  const [run = ''] = /[ \t]*[[{]?[ \t]*$/.exec(before) ?? [];
  if (!run.includes('\t')) return undefined;
  return `${text.slice(0, at - run.length)}${run.replaceAll('\t', ' ')}${text.slice(at)}`;
}
