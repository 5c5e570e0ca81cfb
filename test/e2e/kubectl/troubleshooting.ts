/** Commands for troubleshooting a pod that runs: `logs`, `attach`, `exec`, `cp`, `port-forward`, `proxy`, `events`, `debug`. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX } from '../../support/images.ts';
import { type Group, rowsOf } from './world.ts';

const OBJECTS = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: httpd
      image: ${BUSYBOX}
      command: [sh, -c, "mkdir -p /www; echo 'it works' > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www"]
      ports: [{ containerPort: 8080, name: http }]
      readinessProbe: { tcpSocket: { port: http }, periodSeconds: 1 }
    - { name: ticker, image: ${BUSYBOX}, command: [sh, -c, "while true; do echo tick; sleep 0.5; done"] }
---
apiVersion: v1
kind: Pod
metadata: { name: echo, labels: { app: echo } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - { name: main, image: ${BUSYBOX}, stdin: true, command: [sh, -c, 'while read line; do echo "heard $line"; done'] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
`;

/** What a command that goes on says, and its end. */
function listen(child: ChildProcess): { text(): string; end(): Promise<void> } {
  let said = '';
  const hear = (text: string) => {
    said += text;
  };
  child.stdout?.setEncoding('utf8').on('data', hear);
  child.stderr?.setEncoding('utf8').on('data', hear);
  const closed = once(child, 'close');
  return {
    text: () => said,
    end: async () => {
      child.kill();
      await closed;
    },
  };
}

/** GET through a proxy that kubectl keeps open. */
function get(options: { path: string; port?: number; socketPath?: string }): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', ...options }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
    });
    asked.on('error', reject).end();
  });
}

export const troubleshooting: Group = {
  name: 'troubleshooting',
  define(world) {
    const begin = (...args: string[]) => {
      const child = world.kubectl.start(['-n', world.namespace, ...args]);
      return { child, ...listen(child) };
    };

    beforeAll(async () => {
      await world.run(['apply', '-f', '-'], OBJECTS);
      await world.run(['wait', 'pod/web', 'pod/echo', '--for=condition=Ready', '--timeout=60s']);
    });

    test('describe shows a running pod, its Service and its node', async () => {
      const described = await world.run(['describe', 'pod', 'web']);
      for (const part of ['Node:             m1/', 'Readiness:', 'Successfully assigned', 'Started container']) {
        expect(described).toContain(part);
      }
      await eventually('the endpoint', async () =>
        /Endpoints:\s+10\.244\.\d+\.\d+:8080/.test(await world.run(['describe', 'service', 'web'])),
      );
      const node = await world.run(['describe', 'node', 'm1']);
      expect(node).toMatch(/Ready\s+True/);
      expect(node).toContain('Allocated resources:');
    });

    test('logs reads one container, the last lines, many pods, and what comes', async () => {
      expect(await world.run(['logs', 'web'])).toBe('serving\n');
      expect(await world.run(['logs', 'web', '-c', 'httpd', '--tail=-1'])).toBe('serving\n');
      await eventually(
        'two ticks',
        async () => (await world.run(['logs', 'web', '-c', 'ticker', '--tail=2'])) === 'tick\ntick\n',
      );
      expect(await world.run(['logs', 'web', '-c', 'httpd', '--timestamps'])).toMatch(
        /^\d{4}-\d\d-\d\dT\S+Z serving\n$/,
      );
      expect(await world.run(['logs', 'web', '-c', 'ticker', '--limit-bytes=7'])).toBe('tick\nti');
      expect(await world.run(['logs', '-l', 'app=web', '-c', 'ticker', '--tail=1', '--prefix'])).toBe(
        '[pod/web/ticker] tick\n',
      );
      const all = await world.run(['logs', 'web', '--all-containers', '--tail=1']);
      // kubectl goes through containers in no order.
      expect(all.split('\n').sort()).toEqual(['', 'serving', 'tick']);
      const follow = begin('logs', '-f', 'web', '-c', 'ticker', '--tail=1');
      await eventually('three lines as they come', () => follow.text().split('\n').length > 3);
      await follow.end();
      const wrong = await world.attempt(['logs', 'web', '-c', 'none']);
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toContain('container none is not valid for pod');
    });

    test('exec passes output, input, exit code and a terminal', async () => {
      const exec = (...args: string[]) => ['exec', 'web', '-c', 'httpd', ...args];
      expect(await world.run(exec('--', 'cat', '/www/index.html'))).toBe('it works\n');
      expect(await world.run(exec('-i', '--', 'sh', '-c', 'wc -c'), 'x'.repeat(300_000))).toBe('300000\n');
      const failed = await world.attempt(exec('--', 'sh', '-c', 'echo out; echo err >&2; exit 7'));
      expect(failed).toMatchObject({ code: 7, stdout: 'out\n' });
      expect(failed.stderr).toContain('err\n');
      expect(failed.stderr).toContain('command terminated with exit code 7');
      expect((await world.attempt(exec('--', 'no-such-program'))).code).not.toBe(0);
      const inTerminal = ['-n', world.namespace, 'exec', '-it', 'web', '-c', 'httpd', '--', 'sh'];
      const terminal = await world.lab.inTerminal(world.kubectl, inTerminal, 'tty; exit 3\n');
      expect(terminal.output).toContain('/dev/pts/');
      expect(terminal.code).toBe(3);
    });

    test('attach joins what runs, with its input', async () => {
      const attached = begin('attach', '-i', 'echo');
      attached.child.stdin?.write('hello\n');
      await eventually('the answer', () => attached.text().includes('heard hello\n'), { describe: attached.text });
      await attached.end();
    });

    test('cp copies files and folders both ways', async () => {
      const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) % 256));
      const [sent, got] = [world.path('sent'), world.path('got')];
      mkdirSync(`${sent}/below`, { recursive: true });
      writeFileSync(`${sent}/below/up.bin`, bytes);
      await world.run(['cp', `${sent}/below/up.bin`, 'web:/tmp/up.bin', '-c', 'httpd']);
      await world.run(['cp', 'web:/tmp/up.bin', `${got}.bin`, '-c', 'httpd']);
      expect(readFileSync(`${got}.bin`).equals(bytes)).toBe(true);
      await world.run(['cp', sent, `${world.namespace}/web:/tmp/folder`, '-c', 'httpd']);
      await world.run(['cp', `${world.namespace}/web:/tmp/folder`, got, '-c', 'httpd', '--retries=3']);
      expect(readFileSync(`${got}/below/up.bin`).equals(bytes)).toBe(true);
    });

    test('port-forward leads to a pod and to the pod of a Service', async () => {
      for (const target of ['pod/web', 'service/web']) {
        const port = target === 'pod/web' ? ':8080' : ':80';
        const forward = begin('port-forward', target, port);
        try {
          const local = await eventually(
            'the local port',
            () => /Forwarding from 127\.0\.0\.1:(\d+) -> 8080/.exec(forward.text())?.[1],
            { describe: forward.text },
          );
          for (let round = 0; round < 3; round++) {
            expect(await (await fetch(`http://127.0.0.1:${local}/`)).text()).toBe('it works\n');
          }
        } finally {
          await forward.end();
        }
      }
    });

    test('[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]', async () => {
      const proxy = begin('proxy', '--port=0', '--disable-filter');
      try {
        const port = await eventually(
          'kubectl proxy to name its port',
          () => /127\.0\.0\.1:(\d+)/.exec(proxy.text())?.[1],
          {
            describe: proxy.text,
          },
        );
        const { body } = await get({ port: Number(port), path: '/api/' });
        expect(JSON.parse(body)).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
        // A browser is led to the page of a Service.
        const page = await fetch(`http://127.0.0.1:${port}/api/v1/namespaces/${world.namespace}/services/web:80/proxy`);
        expect(page.url).toMatch(/\/proxy\/$/);
        expect(await page.text()).toBe('it works\n');
      } finally {
        await proxy.end();
      }
    });

    test('[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]', async () => {
      const socketPath = world.path('socket');
      const proxy = begin('proxy', `--unix-socket=${socketPath}`, '--reject-paths=^/apis/.*');
      try {
        await eventually('kubectl proxy to serve', () => proxy.text().includes('Starting to serve'), {
          describe: proxy.text,
        });
        const { body } = await get({ socketPath, path: '/api/' });
        expect(JSON.parse(body)).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
        expect(await get({ socketPath, path: '/apis/apps/v1' })).toMatchObject({ status: 403, body: 'Forbidden\n' });
      } finally {
        await proxy.end();
      }
    });

    test('events lists what happened, of all and of one, and as it happens', async () => {
      const rows = rowsOf(await world.run(['events', '--for', 'pod/web']));
      expect(rows[0]).toEqual(['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE']);
      expect(rows.map((row) => row[2])).toEqual(expect.arrayContaining(['Scheduled', 'Pulled', 'Created', 'Started']));
      expect(new Set(rows.slice(1).map((row) => row[3]))).toEqual(new Set(['Pod/web']));
      expect((await world.attempt(['events', '--types=Warning', '--for', 'pod/echo'])).stderr).toBe(
        `No events found in ${world.namespace} namespace.\n`,
      );
      const watch = begin('events', '--watch', '--for', 'pod/waits');
      const nowhere = '{"spec":{"nodeSelector":{"nowhere":"yes"}}}';
      await world.run(['run', 'waits', `--image=${BUSYBOX}`, `--overrides=${nowhere}`]);
      await eventually('the pod not scheduled', () => /Warning +FailedScheduling +Pod\/waits/.test(watch.text()), {
        describe: watch.text,
      });
      await watch.end();
    });

    // Ephemeral containers and nodes: test/e2e/debug-and-resize.test.ts.
    test('debug makes a copy of a pod, with another command', async () => {
      const copy = [
        'debug',
        'web',
        '--copy-to=web-copy',
        '--container=httpd',
        '--',
        'sh',
        '-c',
        'echo looking; sleep 10000',
      ];
      await world.run(copy);
      expect(await world.field('pod/web-copy', '{.spec.containers[0].command}')).toBe(
        '["sh","-c","echo looking; sleep 10000"]',
      );
      await eventually(
        'the copy’s output',
        async () => (await world.run(['logs', 'web-copy', '-c', 'httpd'])) === 'looking\n',
      );
    });
  },
};
