/** The generation before: `request` and CommonJS; calls take one argument after the other, and answer with the HTTP response. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  AppsV1Api,
  Attach,
  CoreV1Api,
  Cp,
  Exec,
  HttpError,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  Metrics,
  makeInformer,
  PatchUtils,
  PortForward,
  topNodes,
  type V1Status,
  Watch,
} from 'client-node-0.22';
import { beforeAll, expect, test, vi } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Lab } from '../../support/lab.ts';
import { NAMESPACE, sink } from './pods.ts';

const MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;

export function olderClient(labOf: () => Lab): void {
  let config: KubeConfig;
  let core: CoreV1Api;

  beforeAll(() => {
    config = new KubeConfig();
    config.loadFromFile(labOf().kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });

  async function exec(command: string[], input?: string): Promise<{ status: V1Status; out: string; err: string }> {
    const [out, err] = [sink(), sink()];
    const { promise, resolve } = Promise.withResolvers<V1Status>();
    // Never ended: at its end this client closes the socket, and hears of nothing more.
    const stdin = input === undefined ? null : new PassThrough();
    stdin?.write(input);
    await new Exec(config).exec(NAMESPACE, 'web', 'main', command, out, err, stdin, false, resolve);
    return { status: await promise, out: out.text(), err: err.text() };
  }

  test('runs a command: outputs, exit code, input', async () => {
    const { status, out, err } = await exec(['sh', '-c', 'echo to out; echo to err >&2; exit 7']);
    expect(status).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '7' }] },
    });
    expect([out, err]).toEqual(['to out\n', 'to err\n']);
    const heard = await exec(['head', '-n', '1'], 'one line\n');
    expect(heard).toMatchObject({ status: { status: 'Success' }, out: 'one line\n' });
  });

  test('attaches to what runs, and follows its log', async () => {
    const [answered, followed] = [sink(), sink()];
    const following = await new Log(config).log(NAMESPACE, 'echo', 'main', followed, { follow: true });
    const stdin = new PassThrough();
    const socket = await new Attach(config).attach(NAMESPACE, 'echo', 'main', answered, null, stdin, false);
    stdin.write('hello\n');
    await eventually('the answer, twice', () =>
      [answered, followed].every((stream) => stream.text().includes('heard hello\n')),
    );
    socket.close();
    following.abort();
  });

  test('reads a log', async () => {
    const read = sink();
    await new Log(config).log(NAMESPACE, 'web', 'main', read, { tailLines: 10 });
    await eventually('the log', () => read.text().includes('begun\n') && read.text().includes('warned\n'), {
      describe: read.text,
    });
    const { body } = await core.readNamespacedPodLog('web', NAMESPACE, 'main');
    expect(body.split('\n').sort()).toEqual(['', 'begun', 'warned']);
  });

  test('forwards a port', async () => {
    const out = sink();
    const input = new PassThrough();
    await new PortForward(config).portForward(NAMESPACE, 'web', [8080], out, null, input);
    input.write('GET /index.html HTTP/1.0\r\n\r\n');
    await eventually('the page', () => out.text().endsWith('served\n'), { describe: out.text });
    // The pod has ended the connection, and with it the forward: what served it on the minion goes, too.
    const pid = labOf().minion('m1').agent.pid();
    await eventually('nothing is left in the pod’s network', () => {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
      return !children.some((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('loopback-child'));
    });
  });

  test('copies a file from a pod', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore-cp-'));
    try {
      const { status } = await exec(['sh', '-c', 'head -c 100000 /bin/busybox > /root/older.bin']);
      expect(status.status).toBe('Success');
      await new Cp(config).cpFromPod(NAMESPACE, 'web', 'main', 'older.bin', folder, '/root');
      const sum = (await exec(['sha256sum', '/root/older.bin'])).out.split(' ')[0];
      const copy = readFileSync(join(folder, 'older.bin'));
      expect([copy.length, createHash('sha256').update(copy).digest('hex')]).toEqual([100_000, sum]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('copies a directory to a pod, though it closes behind its last byte', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore-cp-'));
    // Its archive stays behind, for it removes it when it hears of the end, and it has left by then.
    vi.stubEnv('TMPDIR', folder);
    try {
      const inner = join(folder, 'sent', 'inner');
      mkdirSync(inner, { recursive: true });
      const lines: string[] = [];
      for (const [at, size] of [0, 1, 70_000, 1_000_000, 3_000_000].entries()) {
        const bytes = Buffer.from(Array.from({ length: size }, (_, index) => (index * (31 + at)) % 251));
        writeFileSync(join(inner, `${size}.bin`), bytes);
        lines.push(`${createHash('sha256').update(bytes).digest('hex')}  sent/inner/${size}.bin`);
      }
      const failures: unknown[] = [];
      // Settles only when it fails.
      new Cp(config).cpToPod(NAMESPACE, 'web', 'main', 'sent', '/root', folder).catch((error) => failures.push(error));
      const sums = async () => (await exec(['sh', '-c', 'cd /root && sha256sum sent/inner/*'])).out.trim().split('\n');
      let seen: string[] = [];
      await eventually(
        'every byte in the pod',
        async () => {
          seen = await sums();
          return JSON.stringify(seen.sort()) === JSON.stringify(lines.sort());
        },
        { describe: () => [...seen, ...failures].join('\n') },
      );
      expect(failures).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
    }
  });

  test('watches, and keeps an informer', async () => {
    const events: string[] = [];
    const { promise: ended, resolve: end } = Promise.withResolvers<unknown>();
    const watching = await new Watch(config).watch(
      MAPS,
      { fieldSelector: 'metadata.name=older' },
      (type: string) => events.push(type),
      end,
    );
    await once(watching, 'response');
    const list = () => core.listNamespacedConfigMap(NAMESPACE, undefined, undefined, undefined, undefined, 'older=yes');
    const informer = makeInformer(config, MAPS, list, 'older=yes');
    const changes: string[] = [];
    for (const verb of ['add', 'update', 'delete'] as const) {
      // TypeScript takes one overload for each event.
      informer.on(verb as 'add', (object) => changes.push(`${verb} ${object.metadata?.name} ${object.data?.n ?? ''}`));
    }
    informer.on('error', (error) => changes.push(`error ${String(error)}`));
    await informer.start();
    const metadata = { name: 'older', namespace: NAMESPACE, labels: { older: 'yes' } };
    await core.createNamespacedConfigMap(NAMESPACE, { metadata, data: { n: '1' } });
    await core.replaceNamespacedConfigMap('older', NAMESPACE, { metadata, data: { n: '2' } });
    await core.deleteNamespacedConfigMap('older', NAMESPACE);
    await eventually('all events', () => events.length >= 3 && changes.length >= 3, {
      describe: () => JSON.stringify({ events, changes }),
    });
    expect(events).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    expect(changes).toEqual(['add older 1', 'update older 2', 'delete older 2']);
    await informer.stop();
    watching.abort();
    await ended;
  });

  test('patches in each form, and applies', async () => {
    const patched = async (body: object, type: string, more: { manager?: string; force?: boolean } = {}) => {
      const { manager, force } = more;
      const headers = { 'Content-Type': type };
      const pass = [undefined, undefined, manager, undefined, force, { headers }] as const;
      return (await core.patchNamespacedConfigMap('patched', NAMESPACE, body, ...pass)).body.data;
    };
    await core.createNamespacedConfigMap(NAMESPACE, { metadata: { name: 'patched' }, data: { a: '1', b: '2' } });
    const replace = [{ op: 'replace', path: '/data/a', value: '3' }];
    expect(await patched(replace, PatchUtils.PATCH_FORMAT_JSON_PATCH)).toEqual({ a: '3', b: '2' });
    const merge = { data: { b: null, c: '4' } };
    expect(await patched(merge, PatchUtils.PATCH_FORMAT_JSON_MERGE_PATCH)).toEqual({ a: '3', c: '4' });
    const strategic = { data: { c: null, d: '5' } };
    expect(await patched(strategic, PatchUtils.PATCH_FORMAT_STRATEGIC_MERGE_PATCH)).toEqual({ a: '3', d: '5' });
    const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'patched' }, data: { a: '6' } };
    const apply = PatchUtils.PATCH_FORMAT_APPLY_YAML;
    const conflict = patched(applied, apply, { manager: 'older' });
    await expect(conflict).rejects.toBeInstanceOf(HttpError);
    await expect(conflict).rejects.toMatchObject({ statusCode: 409, body: { reason: 'Conflict' } });
    expect(await patched(applied, apply, { manager: 'older', force: true })).toEqual({ a: '6', d: '5' });
    const { body } = await core.readNamespacedConfigMap('patched', NAMESPACE);
    expect(body.metadata?.managedFields).toContainEqual(
      expect.objectContaining({ manager: 'older', operation: 'Apply' }),
    );
  });

  test('takes any object by its kind, and scales', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const template = {
      metadata: { labels: { app: 'older' } },
      spec: { containers: [{ name: 'main', image: 'nowhere.test/none:1' }] },
    };
    const header = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'older', namespace: NAMESPACE } };
    const spec = { replicas: 0, selector: { matchLabels: { app: 'older' } }, template };
    const deployment = { ...header, spec };
    const made = await objects.create(deployment);
    expect([made.response.statusCode, made.body.metadata?.name]).toEqual([201, 'older']);
    const apps = config.makeApiClient(AppsV1Api);
    const { body: scale } = await apps.readNamespacedDeploymentScale('older', NAMESPACE);
    expect(scale).toMatchObject({ kind: 'Scale', metadata: { name: 'older' }, status: { selector: 'app=older' } });
    const { response, body: removed } = await objects.delete(header);
    expect([response.statusCode, removed.status]).toEqual([200, 'Success']);
    await expect(objects.read(header)).rejects.toMatchObject({ statusCode: 404, body: { reason: 'NotFound' } });
  });

  test('asks what nodes use', async () => {
    const { items } = await new Metrics(config).getNodeMetrics();
    expect(items.map((each) => each.metadata.name)).toEqual(['m1']);
    const [top] = await topNodes(core);
    expect(top?.Node.metadata?.name).toBe('m1');
    expect(Number(top?.Memory.Capacity)).toBeGreaterThan(1_000_000);
  });
}
