/**
 * Which lines of Kubernetes' conformance list have a test of ours, by name: the table `test/conformance.md`. A line passes
 * when a test of exactly its name exists, for the suite as a whole must be green. `npm run conformance` writes the table;
 * `test/conformance.test.ts` notices when it is not up to date.
 *
 * The list is of v1.32 (names only), each with what it needs: A the API alone, B controllers, C a kubelet, D containers.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
const LIST = join(ROOT, 'test/fixtures/conformance-v1.32.tsv');
export const TABLE = join(ROOT, 'test/conformance.md');

export interface Line {
  class: string;
  name: string;
}

/** Why a line of class A has no test, where the reason is more than that nobody has written it. */
const REASONS: Record<string, string> = {};

export const conformanceLines = (): Line[] =>
  readFileSync(LIST, 'utf8')
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => {
      const [kind = '', name = ''] = row.split('\t');
      return { class: kind, name };
    });

/** Files that hold a test named after a line, by the line's name: a suite may lie in several. */
function testedLines(lines: readonly Line[]): Map<string, string> {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  const found = new Map<string, string>();
  for (const file of files) {
    const names = new Set(
      readFileSync(file, 'utf8')
        .match(/\[sig-[^\n]*?(?=['"],)/g)
        ?.map((name) => name.replaceAll("\\'", "'")),
    );
    for (const { name } of lines) if (names.has(name)) found.set(name, relative(ROOT, file));
  }
  return found;
}

export function conformanceTable(): string {
  const lines = conformanceLines();
  const tested = testedLines(lines);
  const classes = [...new Set(lines.map((line) => line.class))].sort();
  const counts = classes.map((each) => {
    const all = lines.filter((line) => line.class === each);
    return `| ${each} | ${all.length} | ${all.filter((line) => tested.has(line.name)).length} |`;
  });
  const rows = lines
    .filter((line) => line.class === 'A' || line.class === 'B' || tested.has(line.name))
    .map(({ class: kind, name }) => {
      const file = tested.get(name);
      const state = file === undefined ? `open: ${REASONS[name] ?? 'no test of this name yet'}` : `passes: \`${file}\``;
      return `| ${kind} | ${name.replaceAll('|', '\\|')} | ${state} |`;
    });
  return `# Conformance

Written by \`npm run conformance\` from the tests' names; the suite as a whole is green, or this table says nothing.
Classes: A needs the API alone, B controllers, C a kubelet, D containers. Lines of C and D without a test are not listed.

| class | lines | with a test of that name |
|---|---|---|
${counts.join('\n')}

| class | line | state |
|---|---|---|
${rows.join('\n')}
`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(TABLE, conformanceTable());
