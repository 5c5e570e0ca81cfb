/** Whatever happens to pods and template, a rollout stays within its bounds and comes to its end. */
import { describe, expect, test } from 'vitest';
import { DEPLOYMENTS, type Deployment } from '../../../shared/api/apps.ts';
import { PODS } from '../../../shared/api/core.ts';
import { isActive, isReady } from '../../../shared/pods.ts';
import { boundsOf, replicasOf } from '../../../worker/controllers/rolling-update.ts';
import { newSeed, type SeededRandom, seededRandom } from '../../support/seeded-random.ts';
import {
  addNode,
  controlPlane,
  errorsOf,
  kubelets,
  podsOf,
  setStatus,
  settle,
  type TestPlane,
} from './control-plane.ts';

const STEPS = 60;
const seeds = process.env.SEED === undefined ? Array.from({ length: 6 }, () => newSeed({})) : [newSeed(process.env)];

const read = (plane: TestPlane): Deployment => {
  const found = plane.do((objects) => objects.get(DEPLOYMENTS, 'default', 'web') ?? null);
  if (found === null) throw new Error('the deployment is gone');
  return found;
};

function start(random: SeededRandom): TestPlane {
  const plane = controlPlane({ seed: random.seed });
  for (let index = 0; index < 3; index += 1) addNode(plane, `m${index}`);
  const [maxSurge, maxUnavailable] = random.pick([
    ['25%', '25%'],
    [1, 0],
    [0, 1],
    ['100%', '0%'],
    [2, '50%'],
  ] as const);
  plane.do((objects) =>
    objects.create(DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 1 + random.below(8),
        selector: { matchLabels: { app: 'web' } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'v0' }] } },
      },
    }),
  );
  settle(plane);
  return plane;
}

/** One thing that happens. Returns true when it is the user's or fate's doing that fewer pods are available. */
function happen(plane: TestPlane, random: SeededRandom): boolean {
  const pods = podsOf(plane);
  const what = random.below(10);
  if (what < 5) {
    const chosen = new Set(pods.filter(() => random.chance(0.4)).map((each) => each.metadata.uid));
    kubelets(plane, (each) => chosen.has(each.metadata.uid));
    return false;
  }
  if (what < 7) {
    const web = read(plane);
    web.spec.template.spec.containers = [{ name: 'main', image: `v${random.below(5)}` }];
    plane.do((objects) => objects.update(DEPLOYMENTS, web));
    return false;
  }
  if (what === 7) {
    const running = pods.filter((each) => isActive(each) && isReady(each));
    if (running.length > 0) setStatus(plane, random.pick(running), false);
    return true;
  }
  if (what === 8) {
    if (pods.length > 0) {
      const { namespace = '', name } = random.pick(pods).metadata;
      plane.do((objects) => objects.delete(PODS, namespace, name));
    }
    return true;
  }
  for (const name of plane.sockets.keys()) plane.sockets.set(name, plane.nowMs);
  plane.pass(1000 * random.below(30));
  return false;
}

describe.each(seeds)('with seed %i', (seed) => {
  test('a deployment keeps within surge and unavailability, and converges', () => {
    const random = seededRandom(seed);
    const plane = start(random);
    const available = () => podsOf(plane).filter((each) => isActive(each) && isReady(each)).length;
    for (let step = 0; step < STEPS; step += 1) {
      const before = available();
      const isFate = happen(plane, random);
      const web = read(plane);
      const { maxSurge, maxUnavailable } = boundsOf(web);
      const state = `seed ${seed}, step ${step}: ${podsOf(plane)
        .map((each) => `${each.metadata.name}:${each.spec.containers[0]?.image}:${isReady(each)}:${isActive(each)}`)
        .join(' ')}`;
      expect(podsOf(plane).filter(isActive).length, state).toBeLessThanOrEqual(replicasOf(web) + maxSurge);
      // What fate took away is not the rollout's fault; but the rollout takes none below the bound.
      if (!isFate)
        expect(available(), state).toBeGreaterThanOrEqual(Math.min(before, replicasOf(web) - maxUnavailable));
    }
    for (const each of podsOf(plane).filter((one) => isActive(one) && one.status?.phase === 'Running'))
      setStatus(plane, each, true);
    settle(plane);
    const web = read(plane);
    const image = web.spec.template.spec.containers[0]?.image;
    expect(
      podsOf(plane).map((each) => each.spec.containers[0]?.image),
      `seed ${seed}`,
    ).toEqual(Array(replicasOf(web)).fill(image));
    expect(web.status?.availableReplicas).toBe(replicasOf(web));
    expect(errorsOf(plane)).toEqual([]);
  }, 60_000);
});
