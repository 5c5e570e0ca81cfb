/** What conformance asks of kubectl against the API alone, without a minion; each test is named after its line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

const binary = findKubectls().at(-1);
let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
});
afterAll(async () => {
  await plane?.dispose();
});

test('there is a kubectl to test with', () => {
  expect(binary).toBeDefined();
});

describe.runIf(binary !== undefined)('kubectl', () => {
  const kubectl = () => new Kubectl(binary as NonNullable<typeof binary>, plane.kubeconfigPath);
  const run = (args: string[], input?: string) => kubectl().run(args, { input });

  test('[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]', async () => {
    expect((await run(['api-versions'])).split('\n')).toContain('v1');
  });

  test('[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info [Conformance]', async () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken out.
    const text = (await run(['cluster-info'])).replace(/\u001b\[[0-9;]*m/g, '');
    expect(text).toContain(`Kubernetes control plane is running at ${plane.url}`);
  });

  test('[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]', async () => {
    const text = await run(['version']);
    expect(text).toMatch(/^Client Version: v\d+\.\d+\.\d+/m);
    expect(text).toMatch(/^Server Version: v\d+\.\d+\.\d+/m);
  });

  test('[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never [Conformance]', async () => {
    await run(['run', 'never', '--restart=Never', '--image=httpd', '--labels=run=never']);
    type Pod = { spec: { restartPolicy: string; containers: { image: string }[] } };
    const pod = await kubectl().json<Pod>(['get', 'pod', 'never']);
    expect(pod.spec).toMatchObject({ restartPolicy: 'Never', containers: [{ image: 'httpd' }] });
    expect(await run(['delete', 'pod', 'never'])).toContain('pod "never" deleted');
  });

  test('[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]', async () => {
    await run(['run', 'dry', '--image=httpd', '--labels=run=dry']);
    const patch = '{"spec":{"containers":[{"name":"dry","image":"busybox"}]}}';
    const image = ['-o', 'jsonpath={.spec.containers[0].image}'];
    expect(await run(['patch', 'pod', 'dry', '-p', patch, '--dry-run=server', ...image])).toBe('busybox');
    expect(await run(['get', 'pod', 'dry', ...image])).toBe('httpd');
    await run(['delete', 'pod', 'dry']);
  });

  test('[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]', async () => {
    const deployment = (image: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: differs }
spec:
  selector: { matchLabels: { app: differs } }
  template:
    metadata: { labels: { app: differs } }
    spec: { containers: [{ name: main, image: ${image} }] }
`;
    await run(['create', '-f', '-'], deployment('httpd:2.4'));
    const different = await kubectl().try(['diff', '-f', '-'], { input: deployment('busybox:1') });
    expect(different.code).toBe(1);
    expect(different.stdout).toMatch(/^-\s+- image: httpd:2\.4\n\+\s+- image: busybox:1$/m);
    await run(['delete', 'deployment', 'differs']);
  });

  /** GET through a proxy that kubectl keeps open. */
  function get(options: { port?: number; socketPath?: string }): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', path: '/api/', ...options }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve(Buffer.concat(parts).toString()));
      });
      asked.on('error', reject).end();
    });
  }

  test('[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]', async () => {
    const child = kubectl().start(['proxy', '--port=0', '--disable-filter']);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    try {
      const port = await eventually('kubectl proxy to name its port', () => /127\.0\.0\.1:(\d+)/.exec(output)?.[1], {
        describe: () => output,
      });
      expect(JSON.parse(await get({ port: Number(port) }))).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    } finally {
      child.kill();
    }
  });

  test('[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore-proxy-'));
    const socketPath = join(folder, 'test');
    const child = kubectl().start(['proxy', `--unix-socket=${socketPath}`]);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    try {
      await eventually('kubectl proxy to serve', () => output.includes('Starting to serve'), {
        describe: () => output,
      });
      expect(JSON.parse(await get({ socketPath }))).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    } finally {
      child.kill();
      rmSync(folder, { recursive: true });
    }
  });
});
