/** A bounded part of the crash suite; the whole is `npm run crash`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCrashes } from '../durability/crash.ts';
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
