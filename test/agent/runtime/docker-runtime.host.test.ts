/** The real runtime on the machine's own Docker engine: the contract, and what only a real engine can show. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDockerRuntime } from '../../../agent/runtime/docker-runtime.ts';
import type { ContainerSpec, ObservedContainer } from '../../../agent/runtime/runtime.ts';
import { runtimeContract } from '../../contracts/runtime.ts';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, importTestImages } from '../../support/images.ts';

const SOCKET = '/var/run/docker.sock';
const INSTANCE = `contract-${process.pid}`;
const runtime = createDockerRuntime({ dockerSocket: SOCKET, instance: INSTANCE });

beforeAll(() => importTestImages(SOCKET));

const shell = (script: string): Partial<ContainerSpec> => ({ command: ['/bin/sh', '-c', script] });

runtimeContract(() => ({
  runtime,
  image: BUSYBOX,
  copyCommand: ['/bin/sh', '-c', 'cat; printf problem >&2; exit 7'],
  program: (lines, exitCode) => {
    const writes = lines.map(({ stream, text }) => `echo '${text}'${stream === 'stderr' ? ' >&2' : ''}`);
    const end = exitCode === undefined ? 'trap "exit 143" TERM; while :; do sleep 0.1; done' : `exit ${exitCode}`;
    return shell([...writes, end].join('\n'));
  },
}));

describe('the runtime on Docker', () => {
  const pod = { namespace: 'default', name: 'real', uid: 'c0ffee00-0000-4000-8000-000000000002' };
  const made: string[] = [];
  const never = new AbortController().signal;

  afterAll(async () => {
    for (const id of made) await runtime.remove(id);
  });

  async function sandbox(): Promise<ObservedContainer> {
    const created = await runtime.createSandbox({
      pod,
      hostname: 'inside',
      hostNetwork: false,
      hostPID: false,
      hostIPC: false,
      attempt: made.length,
      sysctls: {},
      labels: {},
    });
    made.push(created.id);
    return runtime.start(created);
  }

  async function container(sandboxId: string, name: string, own: Partial<ContainerSpec>): Promise<ObservedContainer> {
    const created = await runtime.createContainer(
      {
        pod,
        name,
        attempt: made.length,
        kind: 'container',
        image: BUSYBOX,
        env: [],
        mounts: [],
        resources: { oomScoreAdjust: 0 },
        processes: 'container',
        ipc: 'pod',
        groups: [],
        readOnlyRootFilesystem: false,
        privileged: false,
        allowPrivilegeEscalation: true,
        seccomp: 'default',
        capabilities: { add: [], drop: [] },
        stdin: false,
        stdinOnce: false,
        tty: false,
        stopSignalGraceSeconds: 30,
        specHash: '',
        labels: {},
        ...own,
      },
      sandboxId,
    );
    made.push(created.id);
    return runtime.start(created);
  }

  const outputOf = async (id: string, timestamps = false) => {
    let text = '';
    for await (const { bytes } of runtime.logs(id, { follow: true, timestamps }, never))
      text += Buffer.from(bytes).toString();
    return text;
  };

  async function run(own: Partial<ContainerSpec>): Promise<{ text: string; seen: ObservedContainer | undefined }> {
    const { id } = await container((await sandbox()).id, 'main', own);
    const text = await outputOf(id);
    const ended = await eventually('its end', async () => {
      const seen = await runtime.inspect(id);
      return seen?.state === 'exited' && seen;
    });
    return { text, seen: ended };
  }

  test('containers of a pod share network, host name and IPC, and see no other process', async () => {
    const { id: sandboxId } = await sandbox();
    const server = await container(
      sandboxId,
      'server',
      shell('echo hi > /www/index.html; exec httpd -f -p 8080 -h /www'),
    );
    const client = await container(
      sandboxId,
      'client',
      shell('until wget -qO- http://127.0.0.1:8080/index.html 2>/dev/null; do :; done; hostname; ps | wc -l'),
    );
    expect(await outputOf(client.id)).toMatch(/^hi\ninside\n\s*\d\n$/);
    const ipcOf = (id: string) =>
      execFileSync('docker', ['inspect', '-f', '{{.HostConfig.IpcMode}}', id], { encoding: 'utf8' });
    expect(ipcOf(server.id).trim()).toBe(`container:${sandboxId}`);
  });

  test('a sandbox has no network until it is given one', async () => {
    const { text } = await run(
      shell('cat /proc/net/dev | tail -n +3 | cut -d: -f1 | grep -v -E "lo|tunl|sit|gre|erspan|ip6|ip_vti" | wc -l'),
    );
    expect(text.trim()).toBe('0');
  });

  test('with a shared process namespace the pause program is process 1 and reaps', async () => {
    const script = '(sleep 0.05 &) ; sleep 0.3; ps -o stat | grep -c Z; ps | head -2 | tail -1';
    const { text } = await run({ ...shell(script), processes: 'pod' });
    expect(text).toMatch(/^0\n\s*1 .*\/pause\n$/);
  });

  test('limits processor and memory, and says when memory ran out', async () => {
    const limited = { memoryBytes: 16 << 20, cpuNano: 500_000_000, cpuShares: 512, oomScoreAdjust: 1000 };
    const { seen } = await run({ ...shell('exec tail /dev/zero'), resources: limited });
    expect(seen).toMatchObject({ exitCode: 137, oomKilled: true });
    const { HostConfig: host } = JSON.parse(execFileSync('docker', ['inspect', seen!.id], { encoding: 'utf8' }))[0];
    expect(host).toMatchObject({ Memory: 16 << 20, MemorySwap: 16 << 20, NanoCpus: 500_000_000, CpuShares: 512 });
  });

  test('what runs is in the cgroup at once when its limits change', async () => {
    const read = 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes';
    const first = { memoryBytes: 32 << 20, cpuNano: 500_000_000, cpuShares: 512 };
    const resources = { ...first, oomScoreAdjust: 1000 };
    const script = `until [ "$(${read})" = ${64 << 20} ]; do sleep 0.1; done; echo grown`;
    const { id } = await container((await sandbox()).id, 'main', { ...shell(script), resources });
    await runtime.update(id, { ...first, memoryBytes: 64 << 20 });
    expect(await outputOf(id)).toBe('grown\n');
  });

  test('a container that looks at another sees its processes, and shares its network', async () => {
    const { id: sandboxId } = await sandbox();
    const target = await container(sandboxId, 'main', shell('exec sleep 12345'));
    const looking = { ...shell('ps -o args; hostname'), processes: { containerId: target.id } };
    const { id } = await container(sandboxId, 'debugger', { ...looking, kind: 'ephemeral' });
    expect(await outputOf(id)).toMatch(/^COMMAND\n.*sleep 12345\n(.*\n)*inside\n$/);
  });

  test('bounds the size of every log', async () => {
    const { seen } = await run(shell('true'));
    const { HostConfig: host } = JSON.parse(execFileSync('docker', ['inspect', seen!.id], { encoding: 'utf8' }))[0];
    expect(host.LogConfig).toEqual({ Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } });
  });

  test('a line longer than the engine stores at once comes whole, with one time before it', async () => {
    const { id } = await container(
      (await sandbox()).id,
      'long',
      shell('head -c 50000 /dev/zero | tr "\\0" x; echo; echo end'),
    );
    const text = await outputOf(id, true);
    expect(text.split('\n').map((line) => line.slice(31).length)).toEqual([50_000, 3, 0]);
  });

  test('a large output arrives whole however slowly it is read', async () => {
    const { id } = await container((await sandbox()).id, 'idle', shell('sleep 1000'));
    const session = await runtime.exec(id, {
      command: ['/bin/sh', '-c', 'head -c 3000000 /dev/zero'],
      tty: false,
      stdin: false,
    });
    let size = 0;
    for await (const chunk of session.stdout) {
      size += (chunk as Buffer).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(size).toBe(3_000_000);
    expect(await session.ended).toBe(0);
  });

  test('a terminal has one output, a size, and echoes', async () => {
    const { id } = await container((await sandbox()).id, 'idle', shell('sleep 1000'));
    const session = await runtime.exec(id, { command: ['/bin/sh'], tty: true, stdin: true });
    await session.resize(123, 45);
    session.stdin?.write('stty size; exit 5\n');
    const text = Buffer.concat(await session.stdout.toArray()).toString();
    expect(text).toContain('45 123');
    expect(await session.stderr.toArray()).toEqual([]);
    expect(await session.ended).toBe(5);
  });

  test('attaches to the first process: its stdin, once', async () => {
    const own = { ...shell('read line; echo "got $line"'), stdin: true, stdinOnce: true };
    const { id } = await container((await sandbox()).id, 'reader', own);
    const session = await runtime.attach(id, { stdin: true, tty: false });
    session.stdin?.write('it\n');
    expect(Buffer.concat(await session.stdout.toArray()).toString()).toBe('got it\n');
    expect(await session.ended).toBe(0);
  });

  test('a command that does not exist is an error that says so', async () => {
    const { id: sandboxId } = await sandbox();
    await expect(container(sandboxId, 'none', { command: ['/no/such/program'] })).rejects.toThrow(/no such file/);
    const seen = (await runtime.list()).find((each) => each.name === 'none');
    expect(seen).toMatchObject({ state: 'exited', exitCode: 128, error: expect.stringMatching(/no such file/) });
  });

  test('does not see the containers of another instance', async () => {
    await sandbox();
    const other = createDockerRuntime({ dockerSocket: SOCKET, instance: `${INSTANCE}-other` });
    expect(await other.list()).toEqual([]);
  });

  test('says what to do when there is no engine', async () => {
    const absent = createDockerRuntime({ dockerSocket: '/run/no-such.sock', instance: INSTANCE });
    await expect(absent.version()).rejects.toThrow(/cannot reach the Docker engine at \/run\/no-such.sock: .*dockerd/);
  });
});
