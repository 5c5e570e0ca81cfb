import { expect, test } from 'vitest';
import { GroupCommit } from '../../../worker/http/group-commit.ts';

test('a write that is alone waits for nobody', async () => {
  const commits = new GroupCommit();
  const order: string[] = [];
  setTimeout(() => order.push('timer'), 0);
  await commits.during(async () => {
    await commits.turn();
    order.push('write');
  });
  expect(order).toEqual(['write']);
});

test('writes that are under way together run in one turn, in the order in which they came', async () => {
  const commits = new GroupCommit();
  const order: string[] = [];
  const write = (name: string) =>
    commits.during(async () => {
      await commits.turn();
      order.push(name);
      setTimeout(() => order.push(`after the turn of ${name}`), 0);
    });
  // The first has nobody beside it yet.
  await Promise.all(['a', 'b', 'c', 'd'].map(write));
  expect(order.filter((each) => each.length === 1)).toEqual(['a', 'b', 'c', 'd']);
  expect(order.slice(-3)).toEqual(['b', 'c', 'd']);
});

test('one that fails holds up no other, and is under way no longer', async () => {
  const commits = new GroupCommit();
  const results = await Promise.allSettled([
    commits.during(async () => commits.turn()),
    commits.during(async () => {
      await commits.turn();
      throw new Error('refused');
    }),
    commits.during(async () => commits.turn()),
  ]);
  expect(results.map((each) => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const order: string[] = [];
  setTimeout(() => order.push('timer'), 0);
  await commits.during(async () => {
    await commits.turn();
    order.push('write');
  });
  expect(order).toEqual(['write']);
});
