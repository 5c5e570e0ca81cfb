/** The keeper on a real Docker engine; only the pod network is a stand-in, so that sandboxes stay unconnected. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createDockerRuntime } from '../../../agent/runtime/docker-runtime.ts';
import type { Container, Pod, PodSpec } from '../../../shared/api/core.ts';
import { metadata, pod } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, importTestImages, OTHER_BUSYBOX } from '../../support/images.ts';
import { Kubelet } from '../../support/kubelet.ts';

const SOCKET = '/var/run/docker.sock';
const runtime = createDockerRuntime({ dockerSocket: SOCKET, instance: `kubelet-${process.pid}` });
let kubelet: Kubelet;
let number = 0;

beforeAll(() => importTestImages(SOCKET));
afterEach(() => kubelet.close());
afterAll(async () => {
  for (const { id } of await runtime.list()) await runtime.remove(id);
});

const shell = (name: string, script: string, own: Partial<Container> = {}): Container => ({
  name,
  image: BUSYBOX,
  command: ['/bin/sh', '-c', script],
  ...own,
});
const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

/** A pod of its own for each test: the engine is shared. */
const make = (spec: PodSpec): Pod => {
  number++;
  return pod(`p${number}`, {
    spec: { terminationGracePeriodSeconds: 5, ...spec },
    metadata: { uid: `0000000${number}-0000-4000-8000-${process.pid.toString().padStart(12, '0')}` },
  });
};
const deleted = (wanted: Pod): Pod => ({
  ...wanted,
  metadata: { ...wanted.metadata, deletionTimestamp: wanted.metadata.creationTimestamp, deletionGracePeriodSeconds: 5 },
});

async function keep(wanted: Pod): Promise<string> {
  kubelet = new Kubelet(runtime);
  kubelet.keeper.setPods([wanted]);
  await kubelet.keeper.start();
  return wanted.metadata.uid;
}

const running = (uid: string, name: string) =>
  kubelet.until(`${name} to run`, () => kubelet.container(uid, name)?.state.running !== undefined);

async function end(wanted: Pod): Promise<void> {
  kubelet.keeper.setPods([deleted(wanted)]);
  await kubelet.until('the end', () => kubelet.gone.includes(wanted.metadata.uid));
  expect((await runtime.list()).filter((each) => each.pod.uid === wanted.metadata.uid)).toEqual([]);
  expect(existsSync(join(kubelet.dataDir, 'pods', wanted.metadata.uid))).toBe(false);
  expect(kubelet.errors).toEqual([]);
}

describe('a pod on Docker', () => {
  test('of an init container and two others that talk over its loopback and share a volume', async () => {
    const volumeMounts = [{ name: 'shared', mountPath: '/www' }];
    const wanted = make({
      initContainers: [shell('init', 'echo from init > /www/index.html', { volumeMounts })],
      containers: [
        shell('server', 'exec httpd -f -p 8080 -h /www', { volumeMounts }),
        shell(
          'client',
          `until wget -qO- http://127.0.0.1:8080/index.html 2>/dev/null; do sleep 0.1; done; hostname; ${FOREVER}`,
        ),
      ],
      volumes: [{ name: 'shared', emptyDir: {} }],
    });
    const uid = await keep(wanted);
    await running(uid, 'client');
    await eventually('the page', async () => (await kubelet.logOf(uid, 'client')).includes(wanted.metadata.name));
    expect(await kubelet.logOf(uid, 'client')).toBe(`from init\n${wanted.metadata.name}\n`);
    expect(kubelet.status(uid)).toMatchObject({
      phase: 'Running',
      initContainerStatuses: [{ ready: true, state: { terminated: { reason: 'Completed', exitCode: 0 } } }],
      containerStatuses: [
        { name: 'server', ready: true, started: true, containerID: expect.stringMatching(/^docker:\/\/[0-9a-f]{64}$/) },
        { name: 'client', ready: true, imageID: expect.stringMatching(/^sha256:/) },
      ],
    });
    await end(wanted);
  });

  test('sees files, variables and addresses as in Kubernetes', async () => {
    const script =
      'cat /cm/file /cm/deep/one /secret/key /down/labels; echo " $GREETING $NODE"; tail -1 /etc/hosts; cat /etc/resolv.conf; id -G; stat -c "%a %g" /data; echo gone > /dev/termination-log';
    const wanted = make({
      restartPolicy: 'Never',
      securityContext: { fsGroup: 4242 },
      containers: [
        shell('main', script, {
          env: [
            { name: 'WHO', value: 'you' },
            { name: 'GREETING', value: 'hello $(WHO)' },
            { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
          ],
          volumeMounts: [
            { name: 'cm', mountPath: '/cm' },
            { name: 'secret', mountPath: '/secret/key', subPath: 'key' },
            { name: 'down', mountPath: '/down' },
            { name: 'data', mountPath: '/data' },
          ],
        }),
      ],
      volumes: [
        {
          name: 'cm',
          configMap: {
            name: 'cm',
            items: [
              { key: 'a', path: 'file' },
              { key: 'b', path: 'deep/one', mode: 0o600 },
            ],
          },
        },
        { name: 'secret', secret: { secretName: 's' } },
        { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        { name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      ],
    });
    wanted.metadata.labels = { app: 'x' };
    kubelet = new Kubelet(runtime);
    kubelet.configMaps.set('default/cm', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: metadata('cm'),
      data: { a: 'A', b: 'B' },
    });
    kubelet.secrets.set('default/s', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('s'),
      data: { key: btoa('C') },
    });
    const { uid } = wanted.metadata;
    kubelet.keeper.setPods([wanted]);
    await kubelet.keeper.start();
    await kubelet.until('its end', () => kubelet.status(uid)?.phase === 'Succeeded');
    expect((await kubelet.logOf(uid, 'main')).split('\n')).toEqual([
      'ABCapp="x" hello you 192.168.0.9',
      `10.244.0.2\t${wanted.metadata.name}`,
      'search default.svc.cluster.local svc.cluster.local cluster.local',
      'nameserver 10.96.0.10',
      'options ndots:5',
      '0 4242',
      '2777 4242',
      '',
    ]);
    expect(kubelet.container(uid, 'main')?.state.terminated?.message).toBe('gone\n');
    const folder = join(kubelet.dataDir, 'pods', uid, 'volumes');
    expect(statSync(join(folder, 'kubernetes.io~configmap/cm/deep/one')).mode & 0o777).toBe(0o640);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toContain(join(folder, 'kubernetes.io~empty-dir/data'));
    await end(wanted);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
  });

  test('is restarted when it ends, keeps its earlier log, and waits in back-off', async () => {
    const wanted = make({ containers: [shell('main', 'echo $RANDOM > /dev/null; echo run; exit 3')] });
    const uid = await keep(wanted);
    await kubelet.until(
      'the back-off',
      () => kubelet.container(uid, 'main')?.state.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(kubelet.container(uid, 'main')).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
      state: {
        waiting: {
          message: `back-off 10s restarting failed container=main pod=${wanted.metadata.name}_default(${uid})`,
        },
      },
    });
    expect([await kubelet.logOf(uid, 'main'), await kubelet.logOf(uid, 'main', true)]).toEqual(['run\n', 'run\n']);
    await end(wanted);
  });

  test('goes on untouched under a second keeper, which can end it', async () => {
    const wanted = make({ containers: [shell('main', FOREVER)] });
    const uid = await keep(wanted);
    await running(uid, 'main');
    const before = await runtime.list();
    await kubelet.restart([{ ...wanted, status: kubelet.status(uid) }]);
    await kubelet.until('a report', () => (kubelet.statuses.get(uid)?.length ?? 0) > 0);
    expect(await runtime.list()).toEqual(before);
    await end(wanted);
  });

  test('that nobody wants any more is ended by the next keeper', async () => {
    const wanted = make({ containers: [shell('main', FOREVER)] });
    const uid = await keep(wanted);
    await running(uid, 'main');
    await kubelet.restart([]);
    await eventually('nothing to be left', async () => (await runtime.list()).every((each) => each.pod.uid !== uid));
    // They go after the containers that used them.
    await eventually('its files to be gone', () => !existsSync(join(kubelet.dataDir, 'pods', uid)));
    expect(kubelet.errors).toEqual([]);
  });

  test('gets a new sandbox and all its containers again when the sandbox is killed', async () => {
    const wanted = make({ containers: [shell('main', FOREVER)] });
    const uid = await keep(wanted);
    await running(uid, 'main');
    const sandbox = (await runtime.list()).find((each) => each.kind === 'sandbox' && each.pod.uid === uid);
    execFileSync('docker', ['kill', sandbox?.id ?? '']);
    await kubelet.until('the restart', () => {
      const main = kubelet.container(uid, 'main');
      return main?.restartCount === 1 && main.state.running !== undefined;
    });
    await end(wanted);
  });

  test('follows a new image by replacing its container', async () => {
    const wanted = make({ containers: [shell('main', FOREVER)] });
    const uid = await keep(wanted);
    await running(uid, 'main');
    const next = {
      ...wanted,
      spec: { ...wanted.spec, containers: [{ ...wanted.spec.containers[0]!, image: OTHER_BUSYBOX }] },
    };
    kubelet.keeper.setPods([next]);
    await kubelet.until('the new one', () => {
      const main = kubelet.container(uid, 'main');
      return main?.image === OTHER_BUSYBOX && main.restartCount === 1 && main.state.running !== undefined;
    });
    expect(kubelet.eventTexts()).toContain('Normal Killing Container main definition changed, will be restarted');
    await end(next);
  });

  test('whose memory runs out says so', async () => {
    const resources = { limits: { memory: '16Mi' } };
    const wanted = make({ restartPolicy: 'Never', containers: [shell('main', 'exec tail /dev/zero', { resources })] });
    const uid = await keep(wanted);
    await kubelet.until('its end', () => kubelet.status(uid)?.phase === 'Failed');
    expect(kubelet.container(uid, 'main')?.state.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    await end(wanted);
  });

  test('whose command does not exist says so', async () => {
    const wanted = make({ restartPolicy: 'Never', containers: [{ name: 'main', image: BUSYBOX, command: ['/none'] }] });
    const uid = await keep(wanted);
    await kubelet.until('its end', () => kubelet.status(uid)?.phase === 'Failed');
    expect(kubelet.container(uid, 'main')?.state.terminated).toMatchObject({
      reason: 'StartError',
      exitCode: 128,
      message: expect.stringMatching(/no such file/),
    });
    await end(wanted);
  });

  test('is probed over TCP, HTTP and by a command', async () => {
    const server = 'mkdir -p /w; echo ok > /w/healthz; httpd -p 18080 -h /w; touch /tmp/up; sleep 1000';
    const fast = { periodSeconds: 1 };
    const wanted = make({
      hostNetwork: true,
      terminationGracePeriodSeconds: 0,
      containers: [
        shell('main', server, {
          startupProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, ...fast },
          readinessProbe: { httpGet: { path: '/healthz', port: 18080, host: '127.0.0.1' }, ...fast },
          livenessProbe: { tcpSocket: { port: 18080, host: '127.0.0.1' }, ...fast },
        }),
      ],
    });
    const uid = await keep(wanted);
    await kubelet.until('readiness', () => kubelet.container(uid, 'main')?.ready);
    const session = await kubelet.keeper.exec(uid, 'main', { command: ['rm', '/w/healthz'], tty: false, stdin: false });
    session.stdout.resume();
    session.stderr.resume();
    expect(await session.ended).toBe(0);
    await kubelet.until('unreadiness', () => kubelet.container(uid, 'main')?.ready === false);
    expect(kubelet.eventTexts()).toContain(
      'Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404',
    );
    await end(wanted);
  });

  test('from a manifest file runs with nobody to ask', async () => {
    kubelet = new Kubelet(runtime);
    mkdirSync(kubelet.manifestDir);
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'local' },
      spec: { hostNetwork: true, containers: [shell('main', FOREVER)] },
    };
    writeFileSync(join(kubelet.manifestDir, 'local.json'), JSON.stringify(manifest));
    await kubelet.keeper.start();
    const uid = kubelet.mirrors.at(-1)?.[0]?.metadata.annotations?.['kubernetes.io/config.mirror'] ?? '';
    await running(uid, 'main');
    writeFileSync(join(kubelet.manifestDir, 'local.json'), JSON.stringify({ ...manifest, kind: 'Job' }));
    await kubelet.until('its end', () => kubelet.gone.includes(uid));
  });
});
