// Makes the machine ready for a command: observes, plans, says what it will do, does it. Quick and silent when there is
// nothing to do. Everything goes to standard error, so that a command's own output stays clean.

import { linkPinnedNode } from './modules.mjs';
import { observe } from './observe.mjs';
import { performStep } from './perform.mjs';
import { describeStep, needsOf, planSetup } from './plan.mjs';

/** The machine is not ready and will not be made so; nothing was changed. The message says what is missing and how to get it. */
export class SetupRefused extends Error {}

/** A step was begun and went wrong; the message holds what its program said. */
export class SetupFailed extends Error {}

const DEFAULT_DATA_DIR = '/var/lib/longshore';

/** The value of a flag, `--name value` or `--name=value`. @param {readonly string[]} args @param {string} name */
function flagValue(args, name) {
  const index = args.findIndex((each) => each === name || each.startsWith(`${name}=`));
  if (index === -1) return undefined;
  const each = args[index] ?? '';
  return each === name ? args[index + 1] : each.slice(name.length + 1);
}

/** @param {readonly string[]} args */
export const dataDirOf = (args) => flagValue(args, '--data-dir') ?? process.env.LONGSHORE_DATA_DIR ?? DEFAULT_DATA_DIR;

/**
 * @param {readonly string[]} args the command line
 * @param {{ extraPackages?: string[] }} options further Debian packages (for tests)
 */
export async function ensureReady(args, options = {}) {
  const command = args.find((each) => !each.startsWith('-'));
  if (command === 'start' || command === 'up' || command === 'join') {
    if (args.includes('--help') || args.includes('-h')) return ensureModules(args);
  }
  const plan = planSetup(await observe(flagValue(args, '--docker-socket')), needsOf(command), {
    install: !args.includes('--no-install'),
    extraPackages: options.extraPackages,
  });
  await carryOut(plan, args);
}

/** @param {readonly string[]} args */
async function ensureModules(args) {
  await carryOut(planSetup(await observe(), 'modules', { install: !args.includes('--no-install') }), args);
}

/** @param {import('./plan.mjs').Plan} plan @param {readonly string[]} args */
async function carryOut(plan, args) {
  if (plan.refusals.length > 0) {
    throw new SetupRefused(
      ['longshore cannot run here yet:', ...plan.refusals.map((each) => `  - ${each}`)].join('\n'),
    );
  }
  if (plan.steps.length === 0) return linkPinnedNode();
  process.stderr.write(`Before it starts:\n${plan.steps.map((step) => `  - ${describeStep(step)}\n`).join('')}`);
  for (const step of plan.steps) {
    try {
      await performStep(step, dataDirOf(args));
    } catch (error) {
      throw new SetupFailed(error instanceof Error ? error.message : String(error));
    }
  }
}
