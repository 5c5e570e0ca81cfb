/** Bounded parts of the crash suite and of the histories; the whole is `npm run crash` and `npm run crash -- histories`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCrashes } from '../durability/crash.ts';
import { runHistories } from '../durability/histories.ts';
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
