/** What the objects of the histories do, one call at a time: the models that real histories are held against. */
import type { Model } from '../support/linearizability.ts';

export type RegisterInput = { put: string } | 'read';
export type AppendInput = { append: string } | 'read';
export type SetInput = { add: string } | { remove: string } | 'list';

/** One value. A put answers null, a read the value, or null when there is none. */
export const registerModel: Model<string | null, RegisterInput, string | null> = {
  initial: null,
  step(state, input, output) {
    if (input !== 'read') return input.put;
    return output === undefined || output === state ? state : undefined;
  },
  nameOf: (state) => JSON.stringify(state),
};

const sameList = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((each, index) => each === right[index]);

/** A list. Both calls answer with the list as it is then. */
export const appendModel: Model<readonly string[], AppendInput, readonly string[]> = {
  initial: [],
  step(state, input, output) {
    const after = input === 'read' ? state : [...state, input.append];
    return output === undefined || sameList(after, output) ? after : undefined;
  },
  nameOf: (state) => state.join(','),
};

/** Names. A list answers with them in order. */
export const setModel: Model<readonly string[], SetInput, readonly string[]> = {
  initial: [],
  step(state, input, output) {
    if (input === 'list') return output === undefined || sameList(state, output) ? state : undefined;
    if ('remove' in input) return state.filter((each) => each !== input.remove);
    return state.includes(input.add) ? state : [...state, input.add].sort();
  },
  nameOf: (state) => state.join(','),
};

/** A register of which a watch told these values, in this order, each once. */
export const watchedModel = (told: readonly string[]): Model<number, RegisterInput, string | null> => ({
  initial: 0,
  step(state, input, output) {
    if (input !== 'read') return told[state] === input.put ? state + 1 : undefined;
    return output === undefined || output === (told[state - 1] ?? null) ? state : undefined;
  },
  nameOf: (state) => String(state),
  mayEnd: (state) => state === told.length,
});
