/** The checker accepts what can be explained and refuses what cannot. */
import { expect, test } from 'vitest';
import { appendModel, type RegisterInput, registerModel, setModel, watchedModel } from '../durability/models.ts';
import { type Call, isLinearizable, type Model } from './linearizability.ts';
import { seededRandom } from './seeded-random.ts';

const NEVER = Number.POSITIVE_INFINITY;
const call = <Input, Output>(
  calledAt: number,
  answeredAt: number,
  input: Input,
  output: Output | undefined,
): Call<Input, Output> => ({ calledAt, answeredAt, input, output });
const put = (from: number, to: number, value: string) =>
  call<RegisterInput, string | null>(from, to, { put: value }, to === NEVER ? undefined : null);
const read = (from: number, to: number, value: string | null) =>
  call<RegisterInput, string | null>(from, to, 'read', value);

type Register = Call<RegisterInput, string | null>[];

test.each<[string, Register]>([
  ['nothing', []],
  ['one after the other', [put(0, 1, 'a'), read(2, 3, 'a'), put(4, 5, 'b'), read(6, 7, 'b')]],
  ['a read beside a write sees either', [put(0, 1, 'a'), put(2, 5, 'b'), read(3, 4, 'a')]],
  ['a read beside a write sees either, the new one', [put(0, 1, 'a'), put(2, 5, 'b'), read(3, 4, 'b')]],
  ['a lost answer that took effect', [put(0, 1, 'a'), put(2, NEVER, 'b'), read(5, 6, 'a'), read(7, 8, 'b')]],
  ['a lost answer that never did', [put(0, 1, 'a'), put(2, NEVER, 'b'), read(5, 6, 'a'), read(7, 8, 'a')]],
  ['writes beside each other, in either order', [put(0, 5, 'a'), put(0, 5, 'b'), read(6, 7, 'a')]],
])('a register: %s can be explained', (_, history) => {
  expect(isLinearizable(registerModel, history)).toBe(true);
});

test.each<[string, Register]>([
  ['a stale read', [put(0, 1, 'a'), put(2, 3, 'b'), read(4, 5, 'a')]],
  ['a lost write', [put(0, 1, 'a'), read(2, 3, null)]],
  ['a value that nobody wrote', [put(0, 1, 'a'), read(2, 3, 'x')]],
  ['a value from the future', [read(0, 1, 'a'), put(2, 3, 'a')]],
  ['a lost answer that took effect before its call', [put(0, 1, 'a'), read(2, 3, 'b'), put(4, NEVER, 'b')]],
  ['a value that goes and comes back', [put(0, 9, 'a'), put(0, 9, 'b'), read(10, 11, 'a'), read(12, 13, 'b')]],
  ['two reads that go back', [put(0, 1, 'a'), put(2, NEVER, 'b'), read(3, 4, 'b'), read(5, 6, 'a')]],
])('a register: %s cannot', (_, history) => {
  expect(isLinearizable(registerModel, history)).toBe(false);
});

const append = (from: number, to: number, value: string, list?: string[]) => call(from, to, { append: value }, list);

test('a list: appends in one order; none lost, none twice', () => {
  expect(isLinearizable(appendModel, [append(0, 5, 'a', ['b', 'a']), append(0, 5, 'b', ['b'])])).toBe(true);
  expect(isLinearizable(appendModel, [append(0, NEVER, 'a'), append(6, 7, 'b', ['a', 'b'])])).toBe(true);
  expect(isLinearizable(appendModel, [append(0, 5, 'a', ['a']), append(6, 7, 'b', ['b'])])).toBe(false);
  expect(isLinearizable(appendModel, [append(0, NEVER, 'a'), append(6, 7, 'b', ['a', 'a', 'b'])])).toBe(false);
});

test('a set: what was added is listed until it is removed', () => {
  const add = (from: number, to: number, name: string) => call(from, to, { add: name }, []);
  const remove = (from: number, to: number, name: string) => call(from, to, { remove: name }, []);
  const list = (from: number, to: number, names: string[]) => call(from, to, 'list' as const, names);
  expect(isLinearizable(setModel, [add(0, 1, 'a'), add(2, 6, 'b'), list(3, 4, ['a']), list(7, 8, ['a', 'b'])])).toBe(
    true,
  );
  expect(isLinearizable(setModel, [add(0, 1, 'a'), remove(2, 3, 'a'), list(4, 5, [])])).toBe(true);
  expect(isLinearizable(setModel, [add(0, 1, 'a'), list(2, 3, [])])).toBe(false);
  expect(isLinearizable(setModel, [add(0, 1, 'a'), remove(2, 3, 'a'), list(4, 5, ['a'])])).toBe(false);
});

test('a watched register: writes take effect in the order that the watch tells', () => {
  const history = [put(0, 5, 'a'), put(0, 5, 'b'), put(6, NEVER, 'c')];
  expect(isLinearizable(watchedModel(['a', 'b']), history)).toBe(true);
  expect(isLinearizable(watchedModel(['b', 'a', 'c']), history)).toBe(true);
  expect(isLinearizable(watchedModel(['a']), history), 'an event is missing').toBe(false);
  expect(isLinearizable(watchedModel(['a', 'b', 'x']), history), 'an event of nothing').toBe(false);
  expect(isLinearizable(watchedModel(['c', 'a', 'b']), history), 'out of order').toBe(false);
  expect(isLinearizable(watchedModel(['a', 'b', 'b']), history), 'an event twice').toBe(false);
});

/** Every order, tried one by one: slow, and plain. */
function byForce(model: Model<string | null, RegisterInput, string | null>, history: Register): boolean {
  const search = (left: Register, state: string | null): boolean => {
    if (left.every((each) => each.output === undefined)) return true;
    return left.some((each) => {
      if (left.some((other) => other !== each && other.answeredAt < each.calledAt)) return false;
      const after = model.step(state, each.input, each.output);
      return (
        after !== undefined &&
        search(
          left.filter((other) => other !== each),
          after,
        )
      );
    });
  };
  return search(history, model.initial);
}

test('it says what trying every order says, of thousands of small histories', () => {
  const random = seededRandom(7);
  let explained = 0;
  for (let round = 0; round < 3000; round += 1) {
    const history = Array.from({ length: 5 }, () => {
      const from = random.below(12);
      const to = random.chance(0.15) ? NEVER : from + 1 + random.below(6);
      const value = random.pick(['a', 'b']);
      return random.chance(0.5) ? put(from, to, value) : read(from, to === NEVER ? from + 1 : to, value);
    });
    const expected = byForce(registerModel, history);
    expect(isLinearizable(registerModel, history), JSON.stringify(history)).toBe(expected);
    if (expected) explained += 1;
  }
  expect(explained).toBeGreaterThan(300);
  expect(explained).toBeLessThan(2700);
});
