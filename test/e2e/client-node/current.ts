/** The generation of today: fetch and ECMAScript modules; each call takes one object. Ends the pod `echo`. */
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import {
  ApiException,
  Attach,
  CoreV1Api,
  Cp,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  Metrics,
  makeInformer,
  PatchStrategy,
  PortForward,
  type V1Status,
  Watch,
} from '@kubernetes/client-node';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Lab } from '../../support/lab.ts';
import { NAMESPACE, sink } from './pods.ts';

let config: KubeConfig;
let core: CoreV1Api;

/** Ends of the logs that are followed, each with its pod: the client cannot abort one without an error that nobody can catch. */
const followings: Promise<unknown>[] = [];

async function follow(name: string, into: Writable): Promise<void> {
  followings.push(once(into, 'finish'));
  await new Log(config).log(NAMESPACE, name, 'main', into, { follow: true });
}

async function exec(command: string[], input?: string): Promise<{ status: V1Status; out: string; err: string }> {
  const [out, err] = [sink(), sink()];
  const { promise, resolve } = Promise.withResolvers<V1Status>();
  const stdin = input === undefined ? null : new PassThrough().end(input);
  await new Exec(config).exec(NAMESPACE, 'web', 'main', command, out, err, stdin, false, resolve);
  return { status: await promise, out: out.text(), err: err.text() };
}

export function currentClient(labOf: () => Lab): void {
  beforeAll(() => {
    config = new KubeConfig();
    config.loadFromFile(labOf().kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });

  test('runs a command and tells its outputs apart', async () => {
    const { status, out, err } = await exec(['sh', '-c', 'echo to out; echo to err >&2']);
    expect(status).toMatchObject({ status: 'Success' });
    expect([out, err]).toEqual(['to out\n', 'to err\n']);
  });

  test('learns a command’s exit code', async () => {
    const { status } = await exec(['sh', '-c', 'exit 7']);
    expect(status).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    });
  });

  test('sends a command its input', async () => {
    expect((await exec(['head', '-n', '1'], 'one line\n')).out).toBe('one line\n');
  });

  test('attaches to what runs', async () => {
    const out = sink();
    const stdin = new PassThrough();
    const socket = await new Attach(config).attach(NAMESPACE, 'echo', 'main', out, null, stdin, false);
    stdin.write('hello\n');
    await eventually('the answer', () => out.text().includes('heard hello\n'), { describe: () => out.text() });
    socket.close();
  });

  test('reads a log, and follows it', async () => {
    const read = sink();
    await new Log(config).log(NAMESPACE, 'web', 'main', read, { tailLines: 10 });
    await eventually('the log', () => read.text().includes('begun\n') && read.text().includes('warned\n'), {
      describe: () => read.text(),
    });
    const followed = sink();
    await follow('echo', followed);
    const stdin = new PassThrough();
    const socket = await new Attach(config).attach(NAMESPACE, 'echo', 'main', sink(), null, stdin, false);
    stdin.write('again\n');
    await eventually('the new line', () => followed.text().includes('heard again\n'), {
      describe: () => followed.text(),
    });
    socket.close();
  });

  test('forwards a port', async () => {
    const out = sink();
    const input = new PassThrough();
    await new PortForward(config).portForward(NAMESPACE, 'web', [8080], out, null, input);
    input.write('GET /index.html HTTP/1.0\r\n\r\n');
    await eventually('the page', () => out.text().endsWith('served\n'), { describe: () => out.text() });
  });

  test('copies files there and back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore-cp-'));
    try {
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31) % 256));
      const [sent, got] = [join(folder, 'sent'), join(folder, 'got')];
      mkdirSync(sent);
      writeFileSync(join(sent, 'there.bin'), bytes);
      const cp = new Cp(config);
      // The client resolves before its copy has ended, and takes folders.
      await cp.cpToPod(NAMESPACE, 'web', 'main', sent, '/root');
      const size = async () => Number((await exec(['sh', '-c', 'wc -c < /root/there.bin'])).out);
      await eventually('the copy in the pod', async () => (await size()) === bytes.length);
      await cp.cpFromPod(NAMESPACE, 'web', 'main', 'there.bin', got, '/root');
      const back = join(got, 'there.bin');
      await eventually('the copy here', () => existsSync(back) && readFileSync(back).equals(bytes));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('watches, and keeps an informer', async () => {
    const events: string[] = [];
    const watching = await new Watch(config).watch(
      `/api/v1/namespaces/${NAMESPACE}/configmaps`,
      { fieldSelector: 'metadata.name=seen' },
      (type: string) => events.push(type),
      () => undefined,
    );
    const list = () => core.listNamespacedConfigMap({ namespace: NAMESPACE, labelSelector: 'informed=yes' });
    const informer = makeInformer(config, `/api/v1/namespaces/${NAMESPACE}/configmaps`, list, 'informed=yes');
    const changes: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const) {
      informer.on(verb, (object) => void changes.push(`${verb} ${object.metadata?.name} ${object.data?.n ?? ''}`));
    }
    informer.on('error', (error: unknown) => void changes.push(`error ${String(error)}`));
    await informer.start();
    const metadata = { name: 'seen', namespace: NAMESPACE, labels: { informed: 'yes' } };
    await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: { metadata, data: { n: '1' } } });
    await core.replaceNamespacedConfigMap({
      ...{ name: 'seen', namespace: NAMESPACE },
      body: { metadata, data: { n: '2' } },
    });
    await core.deleteNamespacedConfigMap({ name: 'seen', namespace: NAMESPACE });
    await eventually('all events', () => events.length >= 3 && changes.length >= 3, {
      describe: () => JSON.stringify({ events, changes }),
    });
    expect(events).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    expect(changes).toEqual(['add seen 1', 'update seen 2', 'delete seen 2']);
    await informer.stop();
    watching.abort();
  });

  test('applies, and hears of errors as they are', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const applied = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'applied', namespace: NAMESPACE },
      data: { by: 'the client' },
    };
    await objects.patch(applied, undefined, undefined, 'a-test', true, PatchStrategy.ServerSideApply);
    const stored = await core.readNamespacedConfigMap({ name: 'applied', namespace: NAMESPACE });
    expect(stored.data).toEqual({ by: 'the client' });
    expect(stored.metadata?.managedFields?.[0]).toMatchObject({ manager: 'a-test', operation: 'Apply' });
    const missing = core.readNamespacedPod({ name: 'nobody', namespace: NAMESPACE });
    await expect(missing).rejects.toBeInstanceOf(ApiException);
    await expect(missing).rejects.toMatchObject({ code: 404 });
  });

  test('asks what nodes and pods use', async () => {
    const { items } = await new Metrics(config).getNodeMetrics();
    expect(items.map((each) => each.metadata.name)).toEqual(['m1']);
    const pods = await new Metrics(config).getPodMetrics(NAMESPACE);
    expect(pods.items.map((each) => each.metadata.name).sort()).toEqual(['echo', 'web']);
  });

  test('the logs of a pod end when it does', async () => {
    await follow('echo', sink());
    await core.deleteNamespacedPod({ name: 'echo', namespace: NAMESPACE });
    await Promise.all(followings);
  });
}
