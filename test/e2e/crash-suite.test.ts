/**
 * Bounded parts of the crash suite, of the histories and of minions that are cut off; the whole is `npm run crash`,
 * `npm run crash -- histories` and `npm run bench -- reconnect`.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCrashes } from '../durability/crash.ts';
import { runHistories } from '../durability/histories.ts';
import { runReconnects } from '../durability/reconnect.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';
import { newSeed } from '../support/seeded-random.ts';

const seed = newSeed(process.env);
let controlPlane: ControlPlane;

beforeAll(async () => {
  controlPlane = await startControlPlane();
});
afterAll(async () => {
  await controlPlane?.dispose();
});

test(`killed ten times under writers and watchers, it loses nothing and shows nothing twice (seed ${seed})`, async () => {
  const report = await runCrashes(controlPlane, { seed, kills: 10, writesPerRound: 100, writers: 8, followers: 4 });
  expect(report.violations).toEqual([]);
  expect(report.kills).toBe(10);
  expect(report.acknowledged).toBeGreaterThanOrEqual(500);
  expect(report.told).toBeGreaterThanOrEqual(4 * 500);
});

test(`histories with kills, pauses and cut sockets can each be explained (seed ${seed})`, async () => {
  const report = await runHistories(controlPlane, { seed, rounds: 4, perRound: 16 });
  expect(report.violations).toEqual([]);
  expect(report.histories).toBe(64);
  expect(report.faults).toEqual({ kill: 1, pause: 1, cut: 1, none: 1 });
  expect(report.unanswered).toBeLessThan(report.calls / 2);
});

test('a hundred minions cut off at once, or by a kill, are back by what changed, and nothing of theirs is touched', async () => {
  const reconnections = await runReconnects(controlPlane, { minions: 100, podsEach: 2 });
  expect(reconnections.map(({ how }) => how)).toEqual(['cut', 'killed']);
  for (const { how, byDelta, refusals, answers, touched } of reconnections) {
    expect(byDelta, how).toBeGreaterThanOrEqual(95);
    expect(touched, how).toEqual([]);
    expect(refusals, how).toEqual({});
    expect(Object.keys(answers), how).toEqual(['200']);
  }
});
