/** Waiting for a condition with a deadline; what was last seen is in the error. The only place in the tests that polls. */

const STEP_MS = 50;

/**
 * Calls `look` until it returns something other than undefined or false.
 * @throws after `timeoutMs` with the last error or what `describe` says.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  options: { timeoutMs?: number; describe?: () => Promise<string> | string } = {},
): Promise<T> {
  const deadline = Date.now() + (options.timeoutMs ?? 60_000);
  let last = 'nothing yet';
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = 'not so yet';
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > deadline) {
      const state = options.describe === undefined ? '' : `\n${await options.describe()}`;
      throw new Error(`waited in vain for ${what}: ${last}${state}`);
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
