/** Sets of completion indexes as a job writes them: `1,3-5,7`. Pure. Source: kubernetes, pkg/controller/job/indexed_job_utils.go. */

/** Ascending, each once; undefined when the text is not of that form. */
export function parseIndexes(text: string): number[] | undefined {
  const indexes: number[] = [];
  if (text === '') return indexes;
  for (const part of text.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first || first <= (indexes.at(-1) ?? -1)) return undefined;
    for (let index = first; index <= last; index += 1) indexes.push(index);
  }
  return indexes;
}

/** Kubernetes: two neighbours are written `1,2`, three and more `1-3`. */
export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    const [first, last] = [sorted[at], sorted[end]];
    if (end === at) parts.push(`${first}`);
    else parts.push(end === at + 1 ? `${first},${last}` : `${first}-${last}`);
    at = end + 1;
  }
  return parts.join(',');
}
