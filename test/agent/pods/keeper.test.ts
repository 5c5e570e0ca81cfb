/** The keeper over a fake engine: the loop, adoption, orphans, static pods, streams. What the plan decides is in plan.test.ts. */
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type KeeperParts, TokenRefused } from '../../../agent/pods/parts.ts';
import type { Container, Pod, PodSpec } from '../../../shared/api/core.ts';
import { EPOCH, EPOCH_MS, metadata, pod } from '../../support/builders.ts';
import { FakeRuntime } from '../../support/fake-runtime.ts';
import { FakeClock, Kubelet } from '../../support/kubelet.ts';

const IMAGE = { id: 'sha256:1', digests: [], sizeBytes: 7, user: '' };
const MAIN: Container = { name: 'main', image: 'nginx:1' };
const web = (spec: Partial<PodSpec> = {}, own: Partial<Pod['metadata']> = {}): Pod =>
  pod('web', { spec: { containers: [MAIN], ...spec }, metadata: own });
const deleted = (wanted: Pod, graceSeconds = 30): Pod => ({
  ...wanted,
  metadata: { ...wanted.metadata, deletionTimestamp: EPOCH, deletionGracePeriodSeconds: graceSeconds },
});

// Waiting in vain must be heard of in its own words.
vi.setConfig({ testTimeout: 30_000 });

let runtime: FakeRuntime;
let clock: FakeClock;
let kubelet: Kubelet;

beforeEach(() => {
  clock = new FakeClock(EPOCH_MS);
  runtime = new FakeRuntime({ nowMs: () => clock.now() });
  runtime.images.set('nginx:1', IMAGE);
  kubelet = new Kubelet(runtime, { clock });
});

afterEach(() => kubelet.close());

async function keep(...pods: Pod[]): Promise<void> {
  kubelet.keeper.setPods(pods);
  await kubelet.keeper.start();
}

const running = (uid = 'uid-web', name = 'main') =>
  kubelet.until(`${name} to run`, () => kubelet.container(uid, name)?.state.running !== undefined);

const idOf = (name: string) => kubelet.container('uid-web', name)?.containerID?.replace('docker://', '') ?? '';

describe('a pod', () => {
  test('comes up with an address, its files and the events of a kubelet', async () => {
    await keep(web());
    await running();
    expect(kubelet.status('uid-web')).toMatchObject({ phase: 'Running', podIP: '10.244.0.2', hostIP: '192.168.0.9' });
    expect(kubelet.eventTexts()).toEqual([
      'Normal Pulled Container image "nginx:1" already present on machine',
      'Normal Created Created container: main',
      'Normal Started Started container main',
    ]);
    expect(kubelet.events[0]?.involvedObject).toMatchObject({ uid: 'uid-web', fieldPath: 'spec.containers{main}' });
    const root = join(kubelet.dataDir, 'pods', 'uid-web');
    expect(readFileSync(join(root, 'etc-hosts'), 'utf8')).toContain('10.244.0.2\tweb');
    expect(readFileSync(join(root, 'resolv.conf'), 'utf8')).toContain('nameserver 10.96.0.10');
    expect(kubelet.errors).toEqual([]);
  });

  test('is begun with no call of the engine that is not needed', async () => {
    await keep(web());
    await running();
    expect(runtime.calls).toEqual(['list', 'createSandbox', 'start sandbox', 'create main', 'start main']);
  });

  test('is reported again when the cluster may have lost what was said', async () => {
    await keep(web());
    await running();
    const said = kubelet.statuses.get('uid-web')?.length ?? 0;
    kubelet.keeper.reportAgain();
    await kubelet.until('another report', () => (kubelet.statuses.get('uid-web')?.length ?? 0) > said);
    expect(kubelet.status('uid-web')).toMatchObject({ phase: 'Running', podIP: '10.244.0.2' });
  });

  test('restarts with back-off, and tells', async () => {
    await keep(web());
    await running();
    runtime.end(idOf('main'), 1);
    await kubelet.until('the restart', () => kubelet.container('uid-web', 'main')?.restartCount === 1);
    runtime.end(idOf('main'), 1);
    await kubelet.until(
      'the back-off',
      () => kubelet.container('uid-web', 'main')?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(kubelet.eventTexts().at(-1)).toBe(
      'Warning BackOff Back-off restarting failed container main in pod web_default(uid-web)',
    );
    await clock.advance(9_000);
    expect(kubelet.container('uid-web', 'main')?.restartCount).toBe(1);
    await clock.advance(1_000);
    await kubelet.until('the next restart', () => kubelet.container('uid-web', 'main')?.restartCount === 2);
  });

  test('ends when it is deleted: stopped with its grace, reported gone once, nothing left', async () => {
    await keep(web());
    await running();
    kubelet.keeper.setPods([deleted(web(), 7)]);
    await kubelet.until('the end', () => kubelet.gone.length > 0);
    expect(runtime.calls).toContain('stop main 7');
    expect(await runtime.list()).toEqual([]);
    expect([...kubelet.network.attachments()]).toEqual([]);
    expect(kubelet.status('uid-web')).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 143 } } }],
    });
    kubelet.keeper.setPods([deleted(web(), 7)]);
    await clock.advance(60_000);
    expect(kubelet.gone).toEqual(['uid-web']);
    expect(await runtime.list()).toEqual([]);
  });

  test('is ended when its object is gone without a word', async () => {
    await keep(web({ terminationGracePeriodSeconds: 3 }));
    await running();
    kubelet.keeper.setPods([]);
    await kubelet.until('the end', () => kubelet.gone.length > 0);
    expect(runtime.calls).toContain('stop main 3');
  });

  test('waits for one of the same name to be over', async () => {
    await keep(web());
    await running();
    kubelet.keeper.setPods([web({}, { uid: 'uid-next' })]);
    await running('uid-next');
    const order = runtime.calls.filter((call) => /^(remove|create)/.test(call));
    expect(order).toEqual([
      'createSandbox',
      'create main',
      'remove main',
      'remove sandbox',
      'createSandbox',
      'create main',
    ]);
  });

  test('is tried again when the network refuses it', async () => {
    kubelet.network.failure = 'no subnet yet';
    await keep(web());
    await kubelet.until('the event', () => kubelet.events.length > 2);
    expect(kubelet.eventTexts()).toContain(
      'Warning FailedCreatePodSandBox Failed to create pod sandbox: no subnet yet',
    );
    kubelet.network.failure = undefined;
    await clock.advance(10_000);
    await running();
  });

  test('gives its host ports to the network', async () => {
    await keep(
      web({ containers: [{ ...MAIN, ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }] }),
    );
    await running();
    expect(kubelet.network.hostPorts.get('uid-web')).toEqual([
      { hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: undefined },
    ]);
  });

  test('gets a new sandbox when the old one died, and counts the restart', async () => {
    await keep(web());
    await running();
    const sandbox = (await runtime.list()).find((each) => each.kind === 'sandbox');
    runtime.end(sandbox?.id ?? '', 137);
    await kubelet.until(
      'the restart',
      () =>
        kubelet.container('uid-web', 'main')?.restartCount === 1 && kubelet.container('uid-web', 'main')?.state.running,
    );
    const sandboxes = (await runtime.list()).filter((each) => each.kind === 'sandbox');
    expect(sandboxes.map(({ attempt, state }) => [attempt, state])).toEqual([[1, 'running']]);
  });
});

describe('images', () => {
  test('are pulled once for all that need them', async () => {
    runtime.registry.set('new:1', IMAGE);
    const containers = [
      { name: 'a', image: 'new:1' },
      { name: 'b', image: 'new:1' },
    ];
    await keep(web({ containers }));
    await running('uid-web', 'b');
    expect(runtime.calls.filter((call) => call.startsWith('pull'))).toEqual(['pull new:1']);
    expect(kubelet.eventTexts()).toContain('Normal Pulling Pulling image "new:1"');
  });

  test('that cannot be pulled are tried again, ever more slowly', async () => {
    await keep(web({ containers: [{ name: 'main', image: 'none:1' }] }));
    const waiting = () => kubelet.container('uid-web', 'main')?.state.waiting;
    await kubelet.until('the failure', () => waiting()?.reason === 'ErrImagePull');
    expect(waiting()?.message).toBe('pull access denied for none:1');
    await clock.advance(2_000);
    await kubelet.until('the back-off', () => waiting()?.reason === 'ImagePullBackOff');
    expect(waiting()?.message).toMatch(/^Back-off pulling image "none:1": ErrImagePull: pull access denied/);
    const pulls = () => runtime.calls.filter((call) => call.startsWith('pull')).length;
    expect(pulls()).toBe(1);
    await clock.advance(8_000);
    await kubelet.until('the second try', () => pulls() === 2);
    await clock.advance(19_000);
    expect(pulls()).toBe(2);
    await clock.advance(1_000);
    await kubelet.until('the third try', () => pulls() === 3);
    expect(kubelet.eventTexts()).toEqual(
      expect.arrayContaining([
        'Warning Failed Failed to pull image "none:1": pull access denied for none:1',
        'Warning Failed Error: ErrImagePull',
        'Normal BackOff Back-off pulling image "none:1"',
        'Warning Failed Error: ImagePullBackOff',
      ]),
    );
  });

  test('are never pulled when the policy says so', async () => {
    await keep(web({ containers: [{ name: 'main', image: 'none:1', imagePullPolicy: 'Never' }] }));
    const waiting = () => kubelet.container('uid-web', 'main')?.state.waiting;
    await kubelet.until('the failure', () => waiting()?.reason === 'ErrImageNeverPull');
    expect(waiting()?.message).toBe('Container image "none:1" is not present with pull policy of Never');
  });
});

describe('what a pod refers to', () => {
  const volumes = [{ name: 'cm', configMap: { name: 'cm' } }];
  const configMap = (text: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata('cm'),
    data: { file: text },
  });

  test('is waited for, said once, and taken up when it comes', async () => {
    await keep(web({ volumes }));
    await kubelet.until('the event', () => kubelet.events.some(({ reason }) => reason === 'FailedMount'));
    await clock.advance(30_000);
    expect(kubelet.eventTexts().filter((text) => text.includes('FailedMount'))).toEqual([
      'Warning FailedMount MountVolume.SetUp failed for volume "cm" : configmap "cm" not found',
    ]);
    kubelet.configMaps.set('default/cm', configMap('one'));
    kubelet.keeper.referencesChanged();
    await running();
  });

  test('follows its changes', async () => {
    kubelet.configMaps.set('default/cm', configMap('one'));
    await keep(web({ volumes }));
    await running();
    const folder = join(kubelet.dataDir, 'pods/uid-web/volumes/kubernetes.io~configmap/cm');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('one');
    const before = readlinkSync(join(folder, '..data'));
    kubelet.configMaps.set('default/cm', configMap('two'));
    kubelet.keeper.referencesChanged();
    await kubelet.until('the new text', () => readFileSync(join(folder, 'file'), 'utf8') === 'two');
    expect(readlinkSync(join(folder, '..data'))).not.toBe(before);
  });

  test('is an error of configuration when a container cannot be made without it', async () => {
    const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'file' } } }];
    await keep(web({ containers: [{ ...MAIN, env }] }));
    const waiting = () => kubelet.container('uid-web', 'main')?.state.waiting;
    await kubelet.until('the failure', () => waiting()?.reason === 'CreateContainerConfigError');
    expect(waiting()?.message).toBe('configmap "cm" not found');
    expect(kubelet.eventTexts()).toContain('Warning Failed Error: configmap "cm" not found');
    kubelet.configMaps.set('default/cm', configMap('one'));
    kubelet.keeper.referencesChanged();
    await running();
  });

  test('is refused by name when it is of a kind that is not supported', async () => {
    const nfs = [{ name: 'data', nfs: { server: 'x', path: '/' } }];
    await keep(web({ volumes: nfs as PodSpec['volumes'] }));
    await kubelet.until('the event', () => kubelet.events.some(({ reason }) => reason === 'FailedMount'));
    expect(kubelet.eventTexts()).toContain(
      'Warning FailedMount MountVolume.SetUp failed for volume "data" : Longshore does not support volumes of type nfs',
    );
  });
});

describe('probes', () => {
  const probe = { exec: { command: ['check'] }, periodSeconds: 5 };

  test('a container that is not ready makes its pod unready, and ready again', async () => {
    await keep(web({ containers: [{ ...MAIN, readinessProbe: { ...probe, failureThreshold: 2 } }] }));
    const ready = () => kubelet.container('uid-web', 'main')?.ready;
    await running();
    await clock.advance(0);
    await kubelet.until('readiness', ready);
    runtime.command = () => ({ exitCode: 1, stdout: 'not now' });
    await clock.advance(5_000);
    expect(ready()).toBe(true);
    await clock.advance(5_000);
    await kubelet.until('unreadiness', () => ready() === false);
    expect(kubelet.eventTexts().at(-1)).toBe('Warning Unhealthy Readiness probe failed: not now');
  });

  test('a container that is not alive is restarted', async () => {
    runtime.command = () => ({ exitCode: 1 });
    await keep(
      web({
        containers: [{ ...MAIN, livenessProbe: { ...probe, failureThreshold: 3, terminationGracePeriodSeconds: 4 } }],
      }),
    );
    await running();
    for (let times = 0; times < 3; times++) await clock.advance(5_000);
    await kubelet.until('the restart', () => kubelet.container('uid-web', 'main')?.restartCount === 1);
    expect(kubelet.eventTexts()).toContain('Normal Killing Container main failed liveness probe, will be restarted');
    expect(runtime.calls).toContain('stop main 4');
  });

  test('a startup probe holds the others back', async () => {
    let up = false;
    const asked: string[] = [];
    runtime.command = ({ command }) => {
      asked.push(command[0] ?? '');
      return { exitCode: command[0] === 'up' && !up ? 1 : 0 };
    };
    const startupProbe = { exec: { command: ['up'] }, periodSeconds: 1, failureThreshold: 30 };
    await keep(web({ containers: [{ ...MAIN, startupProbe, readinessProbe: probe }] }));
    await running();
    await clock.advance(3_000);
    expect([kubelet.container('uid-web', 'main')?.started, asked.includes('check')]).toEqual([false, false]);
    up = true;
    await clock.advance(2_000);
    await kubelet.until('readiness', () => kubelet.container('uid-web', 'main')?.ready);
  });
});

describe('lifecycle hooks', () => {
  test('preStop runs before the signal, and what it took is taken off the grace period', async () => {
    const lifecycle = { preStop: { sleep: { seconds: 4 } } };
    await keep(web({ containers: [{ ...MAIN, lifecycle }] }));
    await running();
    kubelet.keeper.setPods([deleted(web({ containers: [{ ...MAIN, lifecycle }] }), 10)]);
    await clock.advance(3_900);
    expect(runtime.calls.some((call) => call.startsWith('stop main'))).toBe(false);
    await clock.advance(200);
    await kubelet.until('the end', () => kubelet.gone.length > 0);
    expect(runtime.calls).toContain('stop main 6');
  });

  test('a postStart hook that fails kills its container', async () => {
    runtime.command = () => ({ exitCode: 1 });
    const lifecycle = { postStart: { exec: { command: ['begin'] } } };
    await keep(web({ containers: [{ ...MAIN, lifecycle }], restartPolicy: 'Never' }));
    await kubelet.until('the end', () => kubelet.status('uid-web')?.phase === 'Failed');
    expect(
      kubelet.eventTexts().some((text) => text.startsWith('Warning FailedPostStartHook PostStartHook failed: command')),
    ).toBe(true);
  });
});

describe('a restart of the agent', () => {
  test('adopts what runs without touching it', async () => {
    await keep(web());
    await running();
    const before = { ...web(), status: kubelet.status('uid-web') };
    runtime.calls.length = 0;
    const reports = kubelet.statuses.get('uid-web')?.length;
    await kubelet.restart([before]);
    await clock.advance(60_000);
    expect(runtime.calls).toEqual(['list']);
    expect(kubelet.statuses.get('uid-web')?.slice(reports)).toEqual([before.status]);
  });

  test('leaves a pod ready that was ready', async () => {
    const probed = web({ containers: [{ ...MAIN, readinessProbe: { exec: { command: ['check'] } } }] });
    await keep(probed);
    await running();
    await clock.advance(0);
    await kubelet.until('readiness', () => kubelet.container('uid-web', 'main')?.ready);
    const reports = kubelet.statuses.get('uid-web')?.length;
    await kubelet.restart([{ ...probed, status: kubelet.status('uid-web') }]);
    await clock.advance(30_000);
    expect(
      kubelet.statuses
        .get('uid-web')
        ?.slice(reports)
        .map((status) => status.containerStatuses?.[0]?.ready),
    ).toEqual([true]);
  });

  test('remembers restart counts and back-off', async () => {
    await keep(web());
    await running();
    runtime.end(idOf('main'), 1);
    await kubelet.until('the restart', () => kubelet.container('uid-web', 'main')?.restartCount === 1);
    runtime.end(idOf('main'), 1);
    await kubelet.restart([web()]);
    await kubelet.until(
      'the back-off',
      () => kubelet.container('uid-web', 'main')?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(kubelet.container('uid-web', 'main')?.restartCount).toBe(1);
  });

  test('ends what is no longer wanted, without a report about it, and no one else’s', async () => {
    await keep(web({ terminationGracePeriodSeconds: 9 }), pod('other'));
    await running();
    await running('uid-other');
    const reports = kubelet.statuses.get('uid-web')?.length;
    await kubelet.restart([pod('other')]);
    await kubelet.until(
      'the end',
      () => !runtime.calls.includes('x') && runtime.calls.filter((call) => call === 'remove sandbox').length === 1,
    );
    expect(runtime.calls).toContain('stop main 9');
    expect((await runtime.list()).every((each) => each.pod.uid === 'uid-other')).toBe(true);
    expect(kubelet.statuses.get('uid-web')?.length).toBe(reports);
  });

  test('lets the status stand of a pod that is over and has no records left', async () => {
    const over = { ...web(), status: { phase: 'Succeeded' as const, message: 'as it was' } };
    await keep(over);
    await clock.advance(60_000);
    expect(kubelet.statuses.get('uid-web')).toEqual([over.status]);
    expect(runtime.calls).toEqual(['list']);
  });

  test('waits for the word of the cluster before it ends anything', async () => {
    await keep(web());
    await running();
    await kubelet.keeper.stop();
    const later = new Kubelet(runtime, { clock });
    await later.keeper.start();
    await clock.advance(60_000);
    expect((await runtime.list()).map((each) => each.state)).toEqual(['running', 'running']);
    await later.close();
  });
});

test('events that were missed are found when the engine is back', async () => {
  await keep(web());
  await running();
  const before = idOf('main');
  const silent = new AbortController();
  const inner = runtime.events.bind(runtime);
  inner(() => undefined, silent.signal);
  await runtime.remove(before);
  runtime.reconnect();
  await kubelet.until(
    'the new container',
    () => idOf('main') !== before && kubelet.container('uid-web', 'main')?.state.running,
  );
});

describe('static pods', () => {
  const manifest = (image = 'nginx:1') =>
    `apiVersion: v1\nkind: Pod\nmetadata:\n  name: local\nspec:\n  hostNetwork: true\n  containers:\n  - name: main\n    image: ${image}\n`;
  const write = (name: string, text: string) => writeFileSync(join(kubelet.manifestDir, name), text);
  const newest = () => kubelet.mirrors.at(-1) ?? [];
  const uidOf = () => newest()[0]?.metadata.annotations?.['kubernetes.io/config.mirror'] ?? '';

  test('run without any word from the cluster, and are shown as mirrors', async () => {
    mkdirSync(kubelet.manifestDir);
    write('local.yaml', manifest());
    write('broken.yaml', 'apiVersion: v1\nkind: [');
    await kubelet.keeper.start();
    await kubelet.until('it to run', () => kubelet.container(uidOf(), 'main')?.state.running);
    expect(newest()[0]).toMatchObject({
      metadata: {
        name: 'local-node1',
        namespace: 'default',
        annotations: { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.hash': uidOf() },
      },
      spec: { nodeName: 'node1', tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] },
    });
    expect(kubelet.errors).toEqual([expect.objectContaining({ file: join(kubelet.manifestDir, 'broken.yaml') })]);
  });

  test('answer under the uid of their mirror', async () => {
    mkdirSync(kubelet.manifestDir);
    write('local.yaml', manifest());
    runtime.programs.set('nginx:1', (process) => process.print('hello'));
    await keep();
    await kubelet.until('it to run', () => kubelet.container(uidOf(), 'main')?.state.running);
    const mirror = { ...pod('local-node1', { metadata: { annotations: newest()[0]?.metadata.annotations } }) };
    kubelet.keeper.setPods([mirror]);
    expect(await kubelet.logOf('uid-local-node1', 'main')).toBe('hello\n');
    expect(runtime.calls.filter((call) => call === 'createSandbox')).toHaveLength(1);
  });

  test('follow their files', async () => {
    runtime.images.set('nginx:2', IMAGE);
    mkdirSync(kubelet.manifestDir);
    write('local.yaml', manifest());
    await kubelet.keeper.start();
    const first = uidOf();
    await kubelet.until('it to run', () => kubelet.container(first, 'main')?.state.running);
    write('local.yaml', manifest('nginx:2'));
    await clock.advance(20_000);
    await kubelet.until(
      'the next one',
      () => uidOf() !== first && kubelet.container(uidOf(), 'main')?.image === 'nginx:2',
    );
    await kubelet.until('it to run', () => kubelet.container(uidOf(), 'main')?.state.running);
    expect(kubelet.gone).toEqual([first]);
  });

  test('outlive their mirror, which comes again', async () => {
    mkdirSync(kubelet.manifestDir);
    write('local.yaml', manifest());
    await keep();
    await kubelet.until('it to run', () => kubelet.container(uidOf(), 'main')?.state.running);
    const count = kubelet.mirrors.length;
    const mirror = pod('local-node1', { metadata: { annotations: newest()[0]?.metadata.annotations } });
    kubelet.keeper.setPods([deleted(mirror)]);
    expect(kubelet.gone).toEqual(['uid-local-node1']);
    expect(kubelet.mirrors).toHaveLength(count + 1);
    expect((await runtime.list()).every((each) => each.state === 'running')).toBe(true);
  });
});

describe('streams', () => {
  const refusal = async (name: string, previous = false) => {
    try {
      return await kubelet.logOf('uid-web', name, previous);
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('logs of a container, of its previous attempt, up to a limit', async () => {
    let count = 0;
    runtime.programs.set('nginx:1', (process) => process.print(`attempt ${count++}`));
    await keep(web());
    await running();
    expect(await refusal('main', true)).toBe('previous terminated container "main" in pod "web" not found');
    runtime.end(idOf('main'), 1);
    await kubelet.until('the restart', () => kubelet.container('uid-web', 'main')?.restartCount === 1);
    expect([await refusal('main'), await refusal('main', true)]).toEqual(['attempt 1\n', 'attempt 0\n']);
    const query = { container: 'main', previous: false, follow: false, timestamps: false, limitBytes: 3 };
    const [bytes] = await Array.fromAsync(kubelet.keeper.logs('uid-web', query, new AbortController().signal));
    expect(Buffer.from(bytes ?? []).toString()).toBe('att');
  });

  test('are refused in the words of a kubelet', async () => {
    await keep(web({ containers: [{ name: 'main', image: 'none:1' }] }));
    await kubelet.until(
      'the failure',
      () => kubelet.container('uid-web', 'main')?.state.waiting?.reason === 'ErrImagePull',
    );
    expect([await refusal('main'), await refusal('other')]).toEqual([
      'container "main" in pod "web" is waiting to start: image can\'t be pulled',
      'container "other" in pod "web" is not available',
    ]);
    const exec = kubelet.keeper.exec('uid-web', 'main', { command: ['x'], tty: false, stdin: false });
    await expect(exec).rejects.toThrow('unable to upgrade connection: container not found ("main")');
    expect(() => kubelet.keeper.sandboxPid('no-such-pod')).toThrow('pods "no-such-pod" not found');
  });
});

describe('a projected token', () => {
  const DAY_MS = 86_400_000;
  const file = () => join(kubelet.dataDir, 'pods/uid-web/volumes/kubernetes.io~projected/token/token');
  const held = () => readFileSync(file(), 'utf8');
  const robot = (expirationSeconds: number) =>
    web({
      serviceAccountName: 'robot',
      volumes: [
        { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds } }] } },
      ],
    });
  /** As the API signs them, but for the signature. */
  const tokenOf = (count: number, lifeMs: number, podUid = 'uid-web') => {
    const iat = clock.now() / 1000;
    const claims = {
      iat,
      exp: iat + lifeMs / 1000,
      jti: String(count),
      aud: ['api'],
      'kubernetes.io': { pod: { uid: podUid } },
    };
    return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
  };
  const serve = async (tokens: KeeperParts['tokens']) => {
    await kubelet.close();
    kubelet = new Kubelet(runtime, { clock, tokens });
  };

  test('is asked for once, and again before it ends', async () => {
    let count = 0;
    await serve(async (namespace, account) => `${namespace}/${account}/${count++}`);
    await keep(robot(1000));
    await running();
    expect(held()).toBe('default/robot/0');
    kubelet.keeper.referencesChanged();
    await clock.advance(790_000);
    expect(held()).toBe('default/robot/0');
    await clock.advance(20_000);
    await kubelet.until('the next token', () => held() === 'default/robot/1');
  });

  test('that is good for a year is asked for anew once a day, whatever was asked for', async () => {
    let count = 0;
    await serve(async () => tokenOf(count++, 365 * DAY_MS));
    await keep(robot(3607));
    await running();
    await clock.advance(DAY_MS - 1);
    expect(count).toBe(1);
    await clock.advance(1);
    await kubelet.until('the next token', () => count === 2);
    await clock.advance(DAY_MS - 1);
    expect(count).toBe(2);
    await clock.advance(1);
    await kubelet.until('the token after it', () => count === 3);
  });

  test('is taken over from the disk after a restart of the agent, and nobody is asked', async () => {
    let count = 0;
    await serve(async () => tokenOf(count++, 365 * DAY_MS));
    await keep(robot(3607));
    await running();
    const before = held();
    await clock.advance(3 * 3_600_000);
    await kubelet.restart([robot(3607)]);
    await clock.advance(0);
    expect([count, held()]).toEqual([1, before]);
  });

  test('on the disk is enough for a start without the control plane, whatever its age', async () => {
    let isOnline = true;
    let asked = 0;
    await serve(async () => {
      asked++;
      if (isOnline) return tokenOf(asked, 600_000);
      throw new Error('connect EHOSTUNREACH');
    });
    await keep(robot(600));
    await running();
    const before = held();
    isOnline = false;
    await kubelet.keeper.stop();
    await clock.advance(3_600_000);
    // The machine was off: nothing of the pod runs any more.
    for (const { id } of await runtime.list()) runtime.end(id, 137);
    await kubelet.restart([robot(600)]);
    await kubelet.until('it runs again', () => kubelet.container('uid-web', 'main')?.restartCount === 1);
    expect(held()).toBe(before);
    isOnline = true;
    await clock.advance(300_000);
    await kubelet.until('a newer token', () => held() !== before);
  });

  test('of another pod is no token of this one', async () => {
    let count = 0;
    await serve(async () => tokenOf(count++, 365 * DAY_MS, 'uid-other'));
    await keep(robot(3607));
    await running();
    await kubelet.restart([robot(3607)]);
    await kubelet.until('another was asked for', () => count === 2);
  });

  test('that is refused is a failure to mount, whatever is on the disk', async () => {
    let why: Error | undefined;
    await serve(async () => {
      if (why !== undefined) throw why;
      return tokenOf(0, 600_000);
    });
    await keep(robot(600));
    await running();
    why = new TokenRefused('serviceaccounts "robot" not found');
    await clock.advance(600_000);
    await kubelet.until('the event', () =>
      kubelet
        .eventTexts()
        .some((text) => text.startsWith('Warning FailedMount MountVolume.SetUp failed for volume "token"')),
    );
  });
});
