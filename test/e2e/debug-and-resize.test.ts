/**
 * Looking into pods and resizing them, with real kubectl and real Docker: `kubectl debug` in its three forms, and
 * `kubectl patch --subresource resize`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../shared/api/core.ts';
import { eventually } from '../support/eventually.ts';
import { BUSYBOX } from '../support/images.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type Lab, startLab } from '../support/lab.ts';

const binaries = findKubectls();
const [oldest] = binaries;
const newest = binaries.at(-1);
let lab: Lab;
let kubectl: Kubectl;

const POD = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: ${BUSYBOX}
      command: [httpd, -f, -p, "8080", -h, /www]
      resources: { requests: { cpu: 50m, memory: 16Mi }, limits: { cpu: 100m, memory: 64Mi } }
    - name: hungry
      image: ${BUSYBOX}
      command: [sh, -c, "head -c 20000000 /dev/zero | tail -c 20000000 | (sleep 100000; cat >/dev/null)"]
      resources: { requests: { memory: 16Mi }, limits: { memory: 128Mi } }
      resizePolicy: [{ resourceName: cpu, restartPolicy: RestartContainer }]
`;

const pod = (name = 'web') => kubectl.json<Pod>(['get', 'pod', name]);
const conditionOf = async (type: string) => (await pod()).status?.conditions?.find((each) => each.type === type);
const statusOf = async (name: string) => (await pod()).status?.containerStatuses?.find((each) => each.name === name);
const resize = (container: string, resources: object) =>
  kubectl.run([
    ...['patch', 'pod', 'web', '--subresource', 'resize', '-p'],
    JSON.stringify({ spec: { containers: [{ name: container, resources }] } }),
  ]);

beforeAll(async () => {
  if (newest === undefined) throw new Error('there is no kubectl to test with');
  lab = await startLab({ minions: [{ name: 'm1' }] });
  kubectl = new Kubectl(newest, lab.kubeconfig);
  await kubectl.run(['apply', '-f', '-'], { input: POD });
  await kubectl.run(['wait', 'pod/web', '--for=condition=Ready', '--timeout=60s']);
});
afterAll(async () => {
  await lab?.dispose();
});

describe('kubectl debug', () => {
  test.each(binaries.filter((each) => each === oldest || each === newest))(
    '$version: a terminal beside a container, with its processes and its network',
    async (binary) => {
      const name = `debugger-${binary.version.replace('.', '-')}`;
      const args = ['debug', '-it', 'web', `--image=${BUSYBOX}`, '--target=main', '-c', name, '--', 'sh'];
      const typed = 'ps; wget -S -O - http://127.0.0.1:8080/none; exit 3\n';
      const attached = new Kubectl(binary, lab.kubeconfig);
      const { output } = await lab.inTerminal(attached, args, typed, /[#$] |press(ing)? enter/i);
      expect(output).toContain('httpd -f -p 8080');
      expect(output).toContain('404 Not Found');
      const ended = await eventually('its end', async () => {
        const found = (await pod()).status?.ephemeralContainerStatuses?.find((each) => each.name === name);
        return found?.state.terminated;
      });
      expect(ended).toMatchObject({ exitCode: 3, reason: 'Error' });
      expect(await kubectl.run(['logs', 'web', '-c', name])).toContain('httpd -f -p 8080');
    },
  );

  test('one that runs can be entered, and is taken up by a new agent', async () => {
    const args = ['debug', 'web', `--image=${BUSYBOX}`, '-c', 'sleeper', '--', 'sleep', '100000'];
    await kubectl.run(args);
    const running = async () =>
      (await pod()).status?.ephemeralContainerStatuses?.find(({ name, state }) => name === 'sleeper' && state.running);
    const before = await eventually('it to run', running);
    expect(await kubectl.run(['exec', 'web', '-c', 'sleeper', '--', 'echo', 'inside'])).toBe('inside\n');
    expect(await kubectl.run(['describe', 'pod', 'web'])).toMatch(/^Ephemeral Containers:$/m);
    const minion = lab.minion('m1');
    await minion.agent.stop();
    await minion.restartAgent();
    await eventually('the minion to answer again', async () => {
      const { code } = await kubectl.try(['exec', 'web', '-c', 'sleeper', '--', 'true']);
      return code === 0;
    });
    expect((await running())?.containerID).toBe(before.containerID);
    expect((await statusOf('main'))?.restartCount).toBe(0);
  });

  test('a copy of the pod, with one more container that sees the others', async () => {
    await kubectl.run([
      ...['debug', 'web', '--copy-to=copy', '--share-processes', '-c', 'extra', `--image=${BUSYBOX}`],
      ...['--', 'sh', '-c', "until ps -o args | grep '^httpd'; do sleep 0.2; done; sleep 100000"],
    ]);
    await kubectl.run(['wait', 'pod/copy', '--for=condition=Ready', '--timeout=60s']);
    await eventually('what it sees', async () =>
      (await kubectl.run(['logs', 'copy', '-c', 'extra'])).includes('httpd -f -p 8080'),
    );
    await kubectl.run(['delete', 'pod', 'copy']);
  });

  test.each(['legacy', 'general'])('a node, with the profile %s', async (profile) => {
    const script = 'cat /host/etc/hostname >/dev/null && ls -d /host/proc/1/ns && ps | wc -l';
    const said = await kubectl.run([
      ...['debug', 'node/m1', `--profile=${profile}`, `--image=${BUSYBOX}`, '--', 'sh', '-c', script],
    ]);
    const name = /node-debugger-m1-[a-z0-9]+/.exec(said)?.[0] ?? said;
    await kubectl.run(['wait', `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s']);
    const [folder, count] = (await kubectl.run(['logs', name])).trim().split('\n');
    expect(folder).toBe('/host/proc/1/ns');
    // The host's processes, not the pod's own handful.
    expect(Number(count)).toBeGreaterThan(20);
    await kubectl.run(['delete', 'pod', name]);
  });
});

describe('kubectl patch --subresource resize', () => {
  test('changes a container while it runs: the cgroup, the status, the generation', async () => {
    const before = await pod();
    expect(await resize('main', { requests: { cpu: '150m' }, limits: { cpu: '300m', memory: '96Mi' } })).toBe(
      'pod/web patched\n',
    );
    const generation = (before.metadata.generation ?? 0) + 1;
    const wanted = { requests: { cpu: '150m', memory: '16Mi' }, limits: { cpu: '300m', memory: '96Mi' } };
    await eventually(
      'the resize',
      async () => JSON.stringify((await statusOf('main'))?.resources?.limits) === JSON.stringify(wanted.limits),
      { describe: async () => JSON.stringify((await pod()).status) },
    );
    expect(await statusOf('main')).toMatchObject({
      restartCount: 0,
      allocatedResources: wanted.requests,
      resources: wanted,
    });
    const read = 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes';
    expect(await kubectl.run(['exec', 'web', '-c', 'main', '--', 'sh', '-c', read])).toBe(`${96 << 20}\n`);
    await eventually('its end', async () => (await conditionOf('PodResizeInProgress')) === undefined);
    const { metadata, status } = await pod();
    expect([metadata.generation, status?.observedGeneration]).toEqual([generation, generation]);
    const events = await kubectl.run(['get', 'events', '--field-selector', 'reason=ResizeCompleted']);
    expect(events).toContain('Pod resize completed: ');
  });

  test('does not take away memory that is in use', async () => {
    await resize('hungry', { limits: { memory: '17Mi' } });
    const refused = await eventually('the refusal', async () => {
      const condition = await conditionOf('PodResizeInProgress');
      return condition?.reason === 'Error' && condition;
    });
    expect(refused.message).toMatch(
      /^cannot decrease memory limits: attempting to set container "hungry" memory limit \(17825792\) below current usage \(\d+\)$/,
    );
    expect(await statusOf('hungry')).toMatchObject({ restartCount: 0, resources: { limits: { memory: '128Mi' } } });
    await resize('hungry', { limits: { memory: '128Mi' } });
    await eventually('its end', async () => (await conditionOf('PodResizeInProgress')) === undefined);
  });

  test('restarts what asks for a restart', async () => {
    await resize('hungry', { requests: { cpu: '20m' } });
    await eventually('the restart', async () => {
      const status = await statusOf('hungry');
      return status?.restartCount === 1 && status.state.running !== undefined;
    });
    expect((await statusOf('main'))?.restartCount).toBe(0);
  });

  test('waits for ever for what the node has not, and lets the pod be', async () => {
    await resize('main', { requests: { cpu: '900' }, limits: { cpu: '900' } });
    const refused = await eventually('the refusal', () => conditionOf('PodResizePending'));
    expect(refused).toMatchObject({ status: 'True', reason: 'Infeasible' });
    expect(refused.message).toMatch(/^Node didn't have enough capacity: cpu, requested: 9000\d\d, capacity: \d+$/);
    expect(await statusOf('main')).toMatchObject({ restartCount: 0, allocatedResources: { cpu: '150m' } });
    await resize('main', { requests: { cpu: '150m' }, limits: { cpu: '300m' } });
    await eventually('it to be forgotten', async () => (await conditionOf('PodResizePending')) === undefined);
  });
});

test('kubectl set resources changes a Deployment by new pods, as ever', async () => {
  await kubectl.run(['create', 'deployment', 'app', `--image=${BUSYBOX}`, '--', 'sleep', '100000']);
  await kubectl.run(['set', 'resources', 'deployment/app', '--requests=cpu=10m']);
  await kubectl.run(['rollout', 'status', 'deployment/app', '--timeout=60s']);
  const { stderr } = await kubectl.try(['set', 'resources', 'pod/web', '-c', 'main', '--requests=cpu=60m']);
  expect(stderr).toContain('pod updates may not change fields other than');
});
