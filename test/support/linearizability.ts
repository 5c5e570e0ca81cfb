/**
 * Whether a history of concurrent calls can be explained by one order of them, each taking effect at one moment between its
 * call and its answer. After Wing and Gong, with Lowe's memory of what was tried. It knows nothing of the system under test:
 * a model says what each call does to a state of its own.
 */

export interface Call<Input, Output> {
  input: Input;
  /** undefined: it was never answered. It took effect at some later moment, or never. */
  output: Output | undefined;
  /** On one clock. */
  calledAt: number;
  /** Infinity when there was no answer. */
  answeredAt: number;
}

export interface Model<State, Input, Output> {
  initial: State;
  /** The state after a call with this answer; undefined when it cannot be answered so. Without an answer anything may be. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Equal states have equal names. */
  nameOf(state: State): string;
  /** Whether everything may have ended in this state. */
  mayEnd?(state: State): boolean;
}

export function isLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Call<Input, Output>[],
): boolean {
  const calls = [...history].sort((left, right) => left.calledAt - right.calledAt);
  const answered = calls.reduce((mask, call, index) => (call.output === undefined ? mask : mask | bit(index)), 0n);
  const tried = new Set<string>();
  // Depth first; what is pending is on a stack of its own, for histories may be long.
  const stack: { done: bigint; state: State }[] = [{ done: 0n, state: model.initial }];
  for (let here = stack.pop(); here !== undefined; here = stack.pop()) {
    const { done, state } = here;
    const isComplete = (done & answered) === answered;
    if (isComplete && (model.mayEnd?.(state) ?? true)) return true;
    for (const index of candidates(calls, done)) {
      const call = calls[index] as Call<Input, Output>;
      const after = model.step(state, call.input, call.output);
      if (after === undefined) continue;
      const next = done | bit(index);
      const name = `${next.toString(36)} ${model.nameOf(after)}`;
      if (tried.has(name)) continue;
      tried.add(name);
      stack.push({ done: next, state: after });
    }
  }
  return false;
}

const bit = (index: number): bigint => 1n << BigInt(index);

/** Those that may be next: called before any other open call was answered. */
function candidates(calls: readonly Call<unknown, unknown>[], done: bigint): number[] {
  let firstAnswer = Number.POSITIVE_INFINITY;
  const open: number[] = [];
  for (const [index, call] of calls.entries()) {
    if ((done & bit(index)) !== 0n) continue;
    // In order of their calls: what was called after an open call's answer, and all after it, must wait.
    if (call.calledAt > firstAnswer) break;
    open.push(index);
    firstAnswer = Math.min(firstAnswer, call.answeredAt);
  }
  return open;
}
