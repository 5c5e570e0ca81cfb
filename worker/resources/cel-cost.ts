/**
 * What an evaluation has cost, and where it must end. There is no clock inside one turn of a Durable Object, so the bound is
 * counted: one unit a node evaluated, and for what walks over values their size (a tenth of a unit a character).
 */

/** As upstream's limit of one call. */
export const CALL_LIMIT = 1_000_000;
export const COST_EXCEEDED = 'operation cancelled: actual cost limit exceeded';

export class CelCostError extends Error {
  constructor() {
    super(COST_EXCEEDED);
  }
}

/** Several evaluations that share a bound: all rules of one object. */
export interface CelBudget {
  remaining: number;
}

/** Evaluations are synchronous and never nested: one meter serves them all. */
const meter = { remaining: 0 };

/** Runs `body` with at most `limit` units; what it used is taken from the budget. @throws CelCostError */
export function metered<T>(budget: CelBudget, limit: number, body: () => T): T {
  const allowed = Math.min(limit, budget.remaining);
  meter.remaining = allowed;
  try {
    const value = body();
    // A rule may swallow errors (`||`), and so this one.
    if (meter.remaining < 0) throw new CelCostError();
    return value;
  } catch (error) {
    throw meter.remaining < 0 ? new CelCostError() : error;
  } finally {
    budget.remaining -= allowed - Math.max(0, meter.remaining);
  }
}

/** @throws CelCostError once the meter is empty; every later call throws too. */
export function charge(units: number): void {
  meter.remaining -= units;
  if (meter.remaining < 0) throw new CelCostError();
}

export const textCost = (text: string): number => Math.ceil(text.length / 10);

/** Of a value as it stands: its elements, or its characters. */
export function chargeSize(value: unknown): void {
  if (typeof value === 'string') charge(textCost(value));
  else if (Array.isArray(value)) charge(value.length);
  else if (value instanceof Map) charge(value.size);
}

/** Of everything in it, for comparisons. */
export function chargeDeep(value: unknown): void {
  const pending = [value];
  for (let at = pending.pop(); pending.length > 0 || at !== undefined; at = pending.pop()) {
    chargeSize(at);
    charge(1);
    if (Array.isArray(at)) for (const each of at) pending.push(each);
    else if (at instanceof Map) for (const each of at.values()) pending.push(each);
  }
}
