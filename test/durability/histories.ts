/**
 * Histories of concurrent clients against the real control plane: many small objects at once, each with a few clients of its
 * own, while it is killed, stopped for a moment, or cut off. Each history is then held against its model by
 * `test/support/linearizability.ts`.
 */
import { type ApiClient, ApiError } from '../../agent/cli/api-client.ts';
import { type CutProxy, startCutProxy } from '../support/cut-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type Call, isLinearizable } from '../support/linearizability.ts';
import type { ControlPlane } from '../support/longshore.ts';
import { type SeededRandom, seededRandom } from '../support/seeded-random.ts';
import { Follower, isCut, type Kept } from './follower.ts';
import {
  type AppendInput,
  appendModel,
  type RegisterInput,
  registerModel,
  type SetInput,
  setModel,
  watchedModel,
} from './models.ts';

export interface HistoriesOptions {
  seed: number;
  rounds: number;
  /** At the same time, in each round; one fault is under way meanwhile. */
  perRound: number;
  enough?: () => boolean;
  say?: (line: string) => void;
}

export interface HistoriesReport {
  histories: number;
  calls: number;
  unanswered: number;
  faults: Record<Fault, number>;
  violations: string[];
}

type Fault = 'kill' | 'pause' | 'cut' | 'none';
const FAULTS: readonly Fault[] = ['kill', 'pause', 'cut', 'none'];
const NAMESPACE = 'histories';
const PATH = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const CLIENTS = 3;
const CALLS_PER_CLIENT = 8;

/** What a history needs to run. */
interface World {
  client: ApiClient;
  random: SeededRandom;
  /** Resolves when the control plane answers again. */
  up(): Promise<void>;
  /** A call was made; the fault comes after so many of them. */
  called(): void;
}

/** One object, or set of objects, with its history. */
interface Subject {
  run(): Promise<void>;
  calls: readonly Call<unknown, unknown>[];
  isExplained(): boolean;
}

const configMap = (name: string, data: Record<string, string>, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
  data,
});

/** Clients that call one after the other; a call that is cut stays unanswered. */
class History<Input, Output> {
  readonly calls: Call<Input, Output>[] = [];
  readonly #world: World;
  readonly #perform: (input: Input) => Promise<Output>;

  constructor(world: World, perform: (input: Input) => Promise<Output>) {
    this.#world = world;
    this.#perform = perform;
  }

  async run(inputOf: (client: number, index: number) => Input): Promise<void> {
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        for (let index = 0; index < CALLS_PER_CLIENT; index += 1) await this.#call(inputOf(client, index));
      }),
    );
  }

  async #call(input: Input): Promise<void> {
    const call: Call<Input, Output> = {
      input,
      output: undefined,
      calledAt: performance.now(),
      answeredAt: Number.POSITIVE_INFINITY,
    };
    this.calls.push(call);
    this.#world.called();
    try {
      call.output = await this.#perform(input);
      call.answeredAt = performance.now();
    } catch (error) {
      if (!isCut(error)) throw error;
      await this.#world.up();
    }
  }
}

async function registerOf(world: World, name: string, isWatched: boolean): Promise<Subject> {
  const { client, random } = world;
  const made = await client.json<Kept>('POST', PATH, configMap(name, {}));
  const follower = new Follower(client, PATH, `fieldSelector=metadata.name%3D${name}`);
  if (isWatched) follower.start(Number(made.metadata.resourceVersion));
  const history = new History<RegisterInput, string | null>(world, async (input) => {
    if (input === 'read') return (await client.json<Kept>('GET', `${PATH}/${name}`)).data?.value ?? null;
    await client.json('PUT', `${PATH}/${name}`, configMap(name, { value: input.put }));
    return null;
  });
  return {
    calls: history.calls,
    async run() {
      await history.run((writer, index) => (random.chance(0.5) ? 'read' : { put: `${writer}.${index}` }));
      if (!isWatched) return;
      const last = await client.json<Kept>('GET', `${PATH}/${name}`);
      try {
        await eventually(`the watch of ${name} at its end`, () => {
          if (follower.failure !== undefined) throw new Error('the watch failed', { cause: follower.failure });
          return follower.position >= Number(last.metadata.resourceVersion);
        });
      } finally {
        await follower.stop();
      }
      if (follower.expired > 0) throw new Error('history was compacted during a round of seconds');
    },
    isExplained: () =>
      isWatched
        ? isLinearizable(
            watchedModel(follower.segments.flatMap(({ events }) => events.map(({ value }) => value))),
            history.calls,
          )
        : isLinearizable(registerModel, history.calls),
  };
}

async function appendsOf(world: World, name: string): Promise<Subject> {
  const { client, random } = world;
  await client.json('POST', PATH, configMap(name, { list: '' }));
  const listOf = ({ data }: Kept): string[] => (data?.list ?? '').split(',').filter((each) => each !== '');
  const history = new History<AppendInput, readonly string[]>(world, async (input) => {
    for (;;) {
      const stored = await client.json<Kept>('GET', `${PATH}/${name}`);
      if (input === 'read') return listOf(stored);
      const list = [...listOf(stored), input.append];
      const { resourceVersion } = stored.metadata;
      try {
        return listOf(
          await client.json<Kept>(
            'PUT',
            `${PATH}/${name}`,
            configMap(name, { list: list.join(',') }, { resourceVersion }),
          ),
        );
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
      }
    }
  });
  return {
    calls: history.calls,
    run: () => history.run((writer, index) => (random.chance(0.4) ? 'read' : { append: `${writer}.${index}` })),
    isExplained: () => isLinearizable(appendModel, history.calls),
  };
}

async function setOf(world: World, name: string): Promise<Subject> {
  const { client, random } = world;
  const history = new History<SetInput, readonly string[]>(world, async (input) => {
    if (input === 'list') {
      const { items } = await client.json<{ items: Kept[] }>('GET', `${PATH}?labelSelector=set%3D${name}`);
      return items.map(({ metadata }) => metadata.name).sort();
    }
    if ('add' in input) await client.json('POST', PATH, configMap(input.add, {}, { labels: { set: name } }));
    else await client.json('DELETE', `${PATH}/${input.remove}`);
    return [];
  });
  return {
    calls: history.calls,
    run: () =>
      history.run((writer, index) => {
        if (random.chance(0.4)) return 'list';
        const mine = `${name}-${writer}-`;
        const added = history.calls.filter(({ input, output }) => isAdd(input) && input.add.startsWith(mine) && output);
        const removed = new Set(history.calls.map(({ input }) => (isRemove(input) ? input.remove : '')));
        const left = added.map(({ input }) => (input as { add: string }).add).filter((each) => !removed.has(each));
        return left.length > 0 && random.chance(0.5) ? { remove: random.pick(left) } : { add: `${mine}${index}` };
      }),
    isExplained: () => isLinearizable(setModel, history.calls),
  };
}

const isAdd = (input: SetInput): input is { add: string } => typeof input === 'object' && 'add' in input;
const isRemove = (input: SetInput): input is { remove: string } => typeof input === 'object' && 'remove' in input;

const KINDS: readonly ((world: World, name: string) => Promise<Subject>)[] = [
  (world, name) => registerOf(world, `register-${name}`, false),
  (world, name) => appendsOf(world, `append-${name}`),
  (world, name) => setOf(world, `set-${name}`),
  (world, name) => registerOf(world, `watched-${name}`, true),
];

async function suffer(fault: Fault, controlPlane: ControlPlane, proxy: CutProxy, random: SeededRandom): Promise<void> {
  const moment = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  switch (fault) {
    case 'none':
      return;
    case 'kill':
      await controlPlane.kill('SIGKILL');
      return controlPlane.restart();
    case 'cut':
      for (let times = 1 + random.below(3); times > 0; times -= 1) {
        proxy.cut();
        await moment(random.below(100));
      }
      return;
    case 'pause': {
      const pid = controlPlane.pid();
      if (pid === undefined) throw new Error('the control plane does not run');
      process.kill(pid, 'SIGSTOP');
      try {
        await moment(50 + random.below(300));
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    }
  }
}

export async function runHistories(controlPlane: ControlPlane, options: HistoriesOptions): Promise<HistoriesReport> {
  const random = seededRandom(options.seed);
  const proxy = await startCutProxy(controlPlane.apiPort);
  const client = controlPlane.clientAs(controlPlane.adminToken, `https://127.0.0.1:${proxy.port}`);
  const report: HistoriesReport = {
    histories: 0,
    calls: 0,
    unanswered: 0,
    faults: { kill: 0, pause: 0, cut: 0, none: 0 },
    violations: [],
  };
  const up = () =>
    eventually('the control plane up', async () => (await client.request('GET', '/readyz')).status === 200).then(
      () => undefined,
    );
  try {
    await controlPlane.client.json('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE },
    });
    for (let round = 0; round < options.rounds && !(options.enough?.() ?? false); round += 1) {
      const fault = FAULTS[round % FAULTS.length] ?? 'none';
      let calls = 0;
      const called = () => {
        calls += 1;
      };
      const world: World = { client, random, up, called };
      const subjects = await Promise.all(
        Array.from({ length: options.perRound }, (_, index) => {
          const kind = KINDS[index % KINDS.length] as (typeof KINDS)[number];
          return kind(world, `${round}-${index}`);
        }),
      );
      // Somewhere in the middle of what this round will do.
      const faultAt = Math.floor(options.perRound * CLIENTS * CALLS_PER_CLIENT * (0.1 + 0.6 * random.next()));
      const running = Promise.all(subjects.map((subject) => subject.run()));
      await Promise.race([running, eventually('enough calls', () => calls >= faultAt)]);
      await suffer(fault, controlPlane, proxy, random);
      await running;
      report.faults[fault] += 1;
      for (const subject of subjects) {
        report.histories += 1;
        report.calls += subject.calls.length;
        report.unanswered += subject.calls.filter(({ output }) => output === undefined).length;
        if (!subject.isExplained())
          report.violations.push(`round ${round} (${fault}): ${JSON.stringify(subject.calls)}`);
      }
      options.say?.(`${report.histories} histories, ${report.calls} calls, ${report.unanswered} of them unanswered`);
    }
  } finally {
    await proxy.close();
  }
  return report;
}
