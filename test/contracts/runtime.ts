/** What every Runtime must do, run against the fake (test/agent/runtime) and a real Docker engine (*.host.test.ts). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ContainerSpec,
  ImagePullError,
  type ObservedContainer,
  type Runtime,
  type RuntimeEvent,
  type SandboxSpec,
} from '../../agent/runtime/runtime.ts';
import { eventually } from '../support/eventually.ts';

export interface RuntimeUnderTest {
  runtime: Runtime;
  image: string;
  /**
   * A container that writes `lines` (each `stdout` or `stderr` text), then exits with `exitCode`, or runs until it is
   * stopped when there is none.
   */
  program(lines: { stream: 'stdout' | 'stderr'; text: string }[], exitCode?: number): Partial<ContainerSpec>;
  /** Something to exec: copies its stdin to stdout, writes `problem` to stderr, exits with 7. */
  copyCommand: string[];
}

const POD = { namespace: 'default', name: 'contract', uid: 'c0ffee00-0000-4000-8000-000000000001' };

export function runtimeContract(make: () => RuntimeUnderTest): void {
  describe('a runtime', () => {
    let given: RuntimeUnderTest;
    let runtime: Runtime;
    const events: RuntimeEvent[] = [];
    let watching: AbortController;

    beforeEach(() => {
      given = make();
      runtime = given.runtime;
      events.length = 0;
      watching = new AbortController();
      runtime.events((event) => events.push(event), watching.signal);
    });

    afterEach(async () => {
      watching.abort();
      for (const { id } of await runtime.list()) await runtime.remove(id);
    });

    const sandboxSpec = (overrides: Partial<SandboxSpec> = {}): SandboxSpec => ({
      pod: POD,
      hostname: 'contract',
      hostNetwork: false,
      hostPID: false,
      hostIPC: false,
      attempt: 0,
      sysctls: {},
      labels: {},
      ...overrides,
    });

    const containerSpec = (overrides: Partial<ContainerSpec> = {}): ContainerSpec => ({
      pod: POD,
      name: 'main',
      attempt: 0,
      kind: 'container',
      image: given.image,
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
      specHash: 'hash',
      labels: { 'example.test/own': 'kept' },
      ...overrides,
    });

    async function runningSandbox(): Promise<ObservedContainer> {
      return runtime.start(await runtime.createSandbox(sandboxSpec()));
    }

    async function run(overrides: Partial<ContainerSpec>): Promise<ObservedContainer> {
      const sandbox = await runningSandbox();
      return runtime.start(await runtime.createContainer(containerSpec(overrides), sandbox.id));
    }

    const program = () => given.program([]);

    const state = async (id: string) => JSON.stringify(await runtime.inspect(id));

    const exited = (id: string) =>
      eventually(
        'the container to end',
        async () => {
          const seen = await runtime.inspect(id);
          return seen?.state === 'exited' && seen;
        },
        { timeoutMs: 20_000, describe: () => state(id) },
      );

    const textOf = async (id: string, options: Partial<Parameters<Runtime['logs']>[1]> = {}) => {
      const all = { follow: false, timestamps: false, ...options };
      let text = '';
      for await (const { stream, bytes } of runtime.logs(id, all, watching.signal))
        for (const line of Buffer.from(bytes).toString().split('\n').slice(0, -1)) text += `${stream}: ${line}\n`;
      return text;
    };

    test('says what it is', async () => {
      expect(await runtime.version()).toEqual({ name: expect.any(String), version: expect.stringMatching(/\d/) });
    });

    test('makes a sandbox that runs, and has a process, once it is started', async () => {
      const created = await runtime.createSandbox(sandboxSpec());
      expect(created).toMatchObject({ pod: POD, kind: 'sandbox', name: '', attempt: 0, state: 'created', pid: 0 });
      const running = await runtime.start(created);
      expect(running).toMatchObject({ id: created.id, state: 'running', pid: expect.any(Number) });
      expect(running.pid).toBeGreaterThan(1);
    });

    test('lists what it made with everything needed to adopt it', async () => {
      const container = await run({ ...given.program([]), attempt: 3, kind: 'init' });
      const found = (await runtime.list()).find((each) => each.id === container.id);
      expect(found).toMatchObject({
        pod: POD,
        name: 'main',
        kind: 'init',
        attempt: 3,
        specHash: 'hash',
        image: given.image,
        state: 'running',
        startedAt: expect.any(String),
        labels: expect.objectContaining({ 'example.test/own': 'kept' }),
      });
      const sandbox = (await runtime.list()).find((each) => each.kind === 'sandbox');
      expect(found?.sandboxId).toBe(sandbox?.id);
    });

    test('keeps the exit code and the times of what has ended', async () => {
      const { id } = await run(given.program([], 3));
      const seen = await exited(id);
      expect(seen).toMatchObject({ exitCode: 3, pid: 0, oomKilled: false });
      expect([seen.startedAt, seen.finishedAt].map((time) => Number.isNaN(Date.parse(time ?? '')))).toEqual([
        false,
        false,
      ]);
    });

    test('refuses to start a container whose sandbox does not run, and shows it as ended with 128', async () => {
      const sandbox = await runtime.createSandbox(sandboxSpec());
      const created = await runtime.createContainer(containerSpec(given.program([])), sandbox.id);
      await expect(runtime.start(created)).rejects.toThrow(/non running container/);
      expect(await runtime.inspect(created.id)).toMatchObject({
        state: 'exited',
        exitCode: 128,
        error: expect.stringMatching(/non running container/),
      });
    });

    test('refuses to make a container of an image that is not there', async () => {
      const sandbox = await runningSandbox();
      const spec = containerSpec({ image: 'longshore.test/absent:1' });
      await expect(runtime.createContainer(spec, sandbox.id)).rejects.toThrow(/No such image/);
    });

    test('knows the images that are there', async () => {
      expect(await runtime.image(given.image)).toMatchObject({
        id: expect.stringMatching(/./),
        user: expect.any(String),
      });
      expect(await runtime.image('longshore.test/absent:1')).toBeUndefined();
    });

    test('says why an image cannot be pulled', async () => {
      const failure = runtime.pull('127.0.0.1:1/absent:1');
      await expect(failure).rejects.toBeInstanceOf(ImagePullError);
      await expect(failure).rejects.toMatchObject({ reason: 'ErrImagePull', message: expect.stringMatching(/./) });
    });

    test('stops with a signal, and stopping twice or what is gone is fine', async () => {
      const { id } = await run(given.program([]));
      await runtime.stop(id, 1);
      expect((await exited(id)).exitCode).toBeGreaterThan(128);
      await runtime.stop(id, 1);
      await runtime.remove(id);
      await runtime.stop(id, 1);
    });

    test('stops a sandbox at once: it heeds SIGTERM', async () => {
      const { id } = await runningSandbox();
      await runtime.stop(id, 600);
      await exited(id);
    });

    test('gives what runs more, and less, and says what it has', async () => {
      const first = { cpuShares: 256, cpuNano: 0, memoryBytes: 64 << 20 };
      const { id } = await run({ ...program(), resources: { ...first, oomScoreAdjust: 0 } });
      const seen = async () => (await runtime.inspect(id))?.resources;
      expect(await seen()).toEqual(first);
      const more = { cpuShares: 512, cpuNano: 500_000_000, memoryBytes: 128 << 20 };
      expect(await runtime.update(id, more)).toMatchObject({ id, state: 'running', resources: more });
      expect(await seen()).toEqual(more);
      const less = { cpuShares: 128, cpuNano: 250_000_000, memoryBytes: 96 << 20 };
      await runtime.update(id, less);
      expect(await seen()).toEqual(less);
      await runtime.remove(id);
      await expect(runtime.update(id, more)).rejects.toThrow(/No such container/);
    });

    test('lets a container look at the processes of another, while that one runs', async () => {
      const { id, sandboxId } = await run(program());
      const looking = (name: string) =>
        containerSpec({ ...program(), name, kind: 'ephemeral', processes: { containerId: id } });
      const debugging = await runtime.start(await runtime.createContainer(looking('debugger'), sandboxId));
      expect(await runtime.inspect(debugging.id)).toMatchObject({ kind: 'ephemeral', state: 'running' });
      const late = await runtime.createContainer(looking('late'), sandboxId);
      await runtime.stop(id, 0);
      await exited(id);
      await expect(runtime.start(late)).rejects.toThrow(/is not running/);
    });

    test('removes what runs and what is gone', async () => {
      const { id } = await run(given.program([]));
      await runtime.remove(id);
      expect(await runtime.inspect(id)).toBeUndefined();
      await runtime.remove(id);
    });

    test('reads a log: both outputs, and only its tail', async () => {
      const lines = [
        { stream: 'stdout', text: 'one' },
        { stream: 'stdout', text: 'two' },
        { stream: 'stdout', text: 'three' },
      ] as const;
      const { id } = await run(given.program([...lines], 0));
      await exited(id);
      expect(await textOf(id)).toBe('stdout: one\nstdout: two\nstdout: three\n');
      expect(await textOf(id, { tailLines: 1 })).toBe('stdout: three\n');
      expect(await textOf(id, { tailLines: 0 })).toBe('');
      expect(await textOf(id, { sinceMs: Date.now() + 60_000 })).toBe('');
    });

    test('keeps stdout and stderr apart', async () => {
      const { id } = await run(given.program([{ stream: 'stderr', text: 'bad' }], 0));
      await exited(id);
      expect(await textOf(id)).toBe('stderr: bad\n');
    });

    test('puts the time before each line when asked', async () => {
      const { id } = await run(given.program([{ stream: 'stdout', text: 'hello' }], 0));
      await exited(id);
      expect(await textOf(id, { timestamps: true })).toMatch(
        /^stdout: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z hello\n$/,
      );
    });

    test('follows a log until its container ends', async () => {
      const { id } = await run(given.program([{ stream: 'stdout', text: 'first' }]));
      const following = textOf(id, { follow: true });
      await runtime.stop(id, 0);
      expect(await following).toBe('stdout: first\n');
    });

    test('stops following when nobody reads any more', async () => {
      const { id } = await run(given.program([{ stream: 'stdout', text: 'first' }]));
      const reader = new AbortController();
      const seen: string[] = [];
      for await (const { bytes } of runtime.logs(id, { follow: true, timestamps: false }, reader.signal)) {
        seen.push(Buffer.from(bytes).toString());
        reader.abort();
      }
      expect(seen).toEqual(['first\n']);
    });

    test('runs a command with stdin, both outputs and its exit code', async () => {
      const { id } = await run(given.program([]));
      const session = await runtime.exec(id, { command: given.copyCommand, tty: false, stdin: true });
      session.stdin?.end('to be copied');
      const [stdout, stderr] = await Promise.all([session.stdout.toArray(), session.stderr.toArray()]);
      expect(Buffer.concat(stdout).toString()).toBe('to be copied');
      expect(Buffer.concat(stderr).toString()).toBe('problem');
      expect(await session.ended).toBe(7);
    });

    test('refuses to run a command in what has ended', async () => {
      const { id } = await run(given.program([], 0));
      await exited(id);
      await expect(runtime.exec(id, { command: ['true'], tty: false, stdin: false })).rejects.toThrow(/not running/);
    });

    test('tells of starts, ends and removals', async () => {
      const { id } = await run(given.program([], 0));
      await exited(id);
      await runtime.remove(id);
      const typesOf = () =>
        events.flatMap((event) => ('containerId' in event && event.containerId === id ? [event.type] : []));
      await eventually('all three events', () => typesOf().length === 3, { describe: () => JSON.stringify(events) });
      expect(typesOf()).toEqual(['started', 'died', 'removed']);
      expect(events.every((event) => event.type !== 'reconnected' && event.pod.uid === POD.uid)).toBe(true);
    });

    test('samples what runs, and leaves out what does not', async () => {
      const { id } = await run(given.program([]));
      const samples = await runtime.stats([id, 'no-such-container']);
      expect([...samples.keys()]).toEqual([id]);
      expect(samples.get(id)).toEqual({ memoryBytes: expect.any(Number), cpuNano: expect.any(Number) });
      expect(samples.get(id)?.memoryBytes).toBeGreaterThan(0);
    });
  });
}
