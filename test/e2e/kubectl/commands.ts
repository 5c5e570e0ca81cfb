/** Which commands a kubectl has, by its own help. */
import type { Kubectl } from '../../support/kubectl.ts';

/** They ask the server nothing. */
const LEFT_OUT = ['plugin', 'completion'];

/** Indented by two, the name and what it does apart by blanks; options are indented by four. */
const COMMAND = /^ {2}([a-z][a-z-]*) {2,}\S/;

/** The names under headings such as `Basic Commands (Beginner):` and `Available Commands:`. */
function namesIn(help: string): string[] {
  const names: string[] = [];
  let listing = false;
  for (const line of help.split('\n')) {
    if (/^\S.*Commands.*:$/.test(line)) listing = true;
    else if (line === '') listing = false;
    else if (listing) names.push(...(COMMAND.exec(line)?.slice(1) ?? []));
  }
  return names;
}

/** Every command as it is typed, `create secret tls` for one; those that have commands below them too. */
export async function commandsOf(kubectl: Kubectl): Promise<string[]> {
  const below = async (path: string[]): Promise<string[]> => {
    const names = namesIn(await kubectl.run([...path, '--help']));
    const each = names
      .filter((name) => !LEFT_OUT.includes(name))
      .map(async (name) => [[...path, name].join(' '), ...(await below([...path, name]))]);
    return (await Promise.all(each)).flat();
  };
  // Named only at the foot of the help.
  const foot = [...(await kubectl.run(['--help'])).matchAll(/Use "kubectl ([a-z]+)" for/g)].map(
    (match) => match[1] ?? '',
  );
  return [...(await below([])), ...foot].sort();
}

/** The command that such arguments run, and those above it: what comes before it are flags with their values. */
export function commandsRunBy(args: readonly string[], all: ReadonlySet<string>): string[] {
  let at = 0;
  while (args[at]?.startsWith('-')) at += args[at]?.includes('=') ? 1 : 2;
  const names = args.slice(at);
  return names.map((_, last) => names.slice(0, last + 1).join(' ')).filter((command) => all.has(command));
}
