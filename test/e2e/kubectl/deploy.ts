/** Deploy commands: `rollout`, `scale` and `autoscale`, of deployments that run and of sets that do not. */
import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, OTHER_BUSYBOX } from '../../support/images.ts';
import { type Group, rowsOf } from './world.ts';

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: main, image: ${BUSYBOX}, command: [sleep, "10000"] }]
`;

/** No node has the label, so nothing runs. */
const workload = (kind: string, name: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { nodeSelector: { nowhere: 'yes' }, containers: [{ name: 'main', image: 'v1' }] },
      },
      ...more,
    },
  });

export const deploy: Group = {
  name: 'deploy',
  define(world) {
    const done = () => world.run(['rollout', 'status', 'deployment/web', '--timeout=90s']);

    test('rollout status follows a rollout to its end', async () => {
      expect(await world.run(['apply', '-f', '-'], WEB)).toBe('deployment.apps/web created\n');
      expect(await done()).toMatch(
        /(Waiting for deployment "web" rollout to finish: \d of 1 updated replicas are available...\n)*deployment "web" successfully rolled out\n$/,
      );
      expect(await world.run(['describe', 'deployment', 'web'])).toContain('ScalingReplicaSet');
      expect(await world.run(['describe', 'pods', '-l', 'app=web'])).toContain('Controlled By:  ReplicaSet/web-');
    });

    test('rollout history and undo know each revision, and go back to it', async () => {
      const before = (await world.run(['get', 'rs', '-o', 'name'])).trim();
      await world.run(['annotate', 'deployment/web', 'kubernetes.io/change-cause=first']);
      expect(await world.run(['set', 'image', 'deployment/web', `main=${OTHER_BUSYBOX}`])).toBe(
        'deployment.apps/web image updated\n',
      );
      expect(await done()).toContain('successfully rolled out');
      expect((await world.run(['get', 'rs', '-o', 'name'])).trim().split('\n')).toHaveLength(2);
      expect(await world.run(['rollout', 'history', 'deployment/web'])).toMatch(
        /^deployment\.apps\/web \nREVISION {2}CHANGE-CAUSE\n1 +first\n2 +first\n\n$/,
      );
      expect(await world.run(['rollout', 'history', 'deployment/web', '--revision=1'])).toMatch(
        /^deployment\.apps\/web with revision #1\nPod Template:\n[\s\S]*Image:\s+longshore\.test\/busybox:1\n/,
      );
      expect(await world.run(['rollout', 'undo', 'deployment/web', '--to-revision=1'])).toBe(
        'deployment.apps/web rolled back\n',
      );
      expect(await done()).toContain('successfully rolled out');
      const sets = await world.json<{ items: { metadata: { name: string }; spec: { replicas: number } }[] }>([
        'get',
        'rs',
      ]);
      expect(
        sets.items.filter((set) => set.spec.replicas === 1).map((set) => `replicaset.apps/${set.metadata.name}`),
      ).toEqual([before]);
    });

    test('rollout pause holds changes back, and resume lets them go', async () => {
      await world.run(['create', 'deployment', 'idle', '--image=nginx', '--replicas=0']);
      expect(await world.run(['rollout', 'pause', 'deployment/idle'])).toBe('deployment.apps/idle paused\n');
      const sets = () => world.run(['get', 'rs', '-l', 'app=idle', '-o', 'name']);
      const before = await sets();
      expect(before.split('\n')).toHaveLength(2);
      await world.run(['set', 'env', 'deployment/idle', 'A=1']);
      const generation = await world.field('deployment/idle', '{.metadata.generation}');
      await world.run(['wait', 'deployment/idle', `--for=jsonpath={.status.observedGeneration}=${generation}`]);
      expect(await sets()).toBe(before);
      expect(await world.run(['rollout', 'resume', 'deployment/idle'])).toBe('deployment.apps/idle resumed\n');
      expect(await world.run(['rollout', 'status', 'deployment/idle', '--timeout=90s'])).toContain(
        'successfully rolled out',
      );
      expect((await sets()).split('\n')).toHaveLength(3);
      await world.run(['rollout', 'pause', 'deployment/idle']);
      expect((await world.attempt(['rollout', 'undo', 'deployment/idle'])).stderr).toBe(
        "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again\n",
      );
    });

    test('rollout restart makes every pod anew', async () => {
      const pods = async () =>
        (await world.run(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.uid}'])).split(' ');
      const before = await pods();
      expect(await world.run(['rollout', 'restart', 'deployment/web'])).toBe('deployment.apps/web restarted\n');
      await done();
      await eventually('only new pods', async () => (await pods()).every((uid) => !before.includes(uid)));
    });

    test('scale sets the size, if it is what is said, of all that can be scaled', async () => {
      expect(await world.run(['scale', 'deployment/web', '--replicas=0', '--current-replicas=1'])).toBe(
        'deployment.apps/web scaled\n',
      );
      expect((await world.attempt(['scale', 'deployment/web', '--replicas=5', '--current-replicas=1'])).stderr).toBe(
        'error: Expected replicas to be 1, was 0\n',
      );
      await world.run(['wait', 'pod', '-l', 'app=web', '--for=delete', '--timeout=60s']);
      await world.run(['apply', '-f', '-'], workload('ReplicaSet', 'set', { replicas: 0 }));
      expect(await world.run(['scale', 'rs/set', '--replicas=2', '--timeout=30s'])).toBe(
        'replicaset.apps/set scaled\n',
      );
      expect(await world.field('rs/set', '{.spec.replicas}')).toBe('2');
    });

    test('rollout shows and undoes the revisions of stateful sets and daemon sets', async () => {
      for (const [kind, name] of [
        ['StatefulSet', 'db'],
        ['DaemonSet', 'log'],
      ] as const) {
        const resource = `${kind.toLowerCase()}/${name}`;
        await world.run(['apply', '-f', '-'], workload(kind, name));
        await world.run(['set', 'image', resource, 'main=v2']);
        expect(await world.run(['rollout', 'history', resource])).toMatch(/REVISION\s+CHANGE-CAUSE\n1 .*\n2 /);
        expect(await world.run(['rollout', 'undo', resource])).toContain('rolled back');
        expect(await world.field(resource, '{.spec.template.spec.containers[0].image}')).toBe('v1');
        expect(await world.run(['rollout', 'restart', resource])).toBe(
          `${kind.toLowerCase()}.apps/${name} restarted\n`,
        );
      }
      expect(await world.run(['scale', 'sts/db', '--replicas=3'])).toBe('statefulset.apps/db scaled\n');
      expect(rowsOf(await world.run(['get', 'sts']))[0]).toEqual(['NAME', 'READY', 'AGE']);
    });

    test('autoscale makes an autoscaler that says what it lacks', async () => {
      await world.run(['apply', '-f', '-'], workload('Deployment', 'site'));
      expect(await world.run(['autoscale', 'deployment', 'site', '--min=2', '--max=5', '--cpu-percent=80'])).toBe(
        'horizontalpodautoscaler.autoscaling/site autoscaled\n',
      );
      const table = await eventually('the smallest size', async () => {
        const text = await world.run(['get', 'hpa']);
        return rowsOf(text)[1]?.[5] === '2' ? rowsOf(text) : undefined;
      });
      expect(table[0]).toEqual(['NAME', 'REFERENCE', 'TARGETS', 'MINPODS', 'MAXPODS', 'REPLICAS', 'AGE']);
      expect(table[1]?.slice(0, 5)).toEqual(['site', 'Deployment/site', 'cpu: <unknown>/80%', '2', '5']);
      expect(await world.run(['describe', 'hpa', 'site'])).toContain('FailedGetResourceMetric');
    });
  },
};
