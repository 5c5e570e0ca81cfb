/**
 * Many fake minions of one control plane, over real sockets: the agent's own dialling, back-off and heartbeats, no container.
 * What the control plane answered instead of a socket is counted by HTTP status.
 */
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { minionToken } from '../../agent/cli/tokens.ts';
import { dialler } from '../../agent/link/dial.ts';
import { type Dial, SYSTEM_TIMERS } from '../../agent/link/kept-socket.ts';
import { LINK_PATH } from '../../shared/link/protocol.ts';
import { eventually } from './eventually.ts';
import { FakeMinion } from './fake-minion.ts';

export interface FleetOptions {
  /** Where the root secret of the control plane is. */
  dataDir: string;
  ca: string;
  /** What the minions dial: the control plane, or a relay before it. */
  server: string;
  count: number;
  /** Minions are called this and a number. */
  prefix?: string;
}

export interface Fleet {
  minions: readonly FakeMinion[];
  /** Upgrades that were answered by something else, by HTTP status. */
  answers: ReadonlyMap<number, number>;
  /** Every minion is connected, has all that it was told on its disk, and has said all that there was to say. */
  settled(): boolean;
  stop(): Promise<void>;
}

/** They dial in waves, so that no accept queue overflows before there is anything to measure. */
const WAVE = 100;
const JOIN_MS = 180_000;

/** @throws when one is refused, or does not get its first delta. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { prefix = 'fake' } = options;
  const answers = new Map<number, number>();
  const minions: FakeMinion[] = [];
  const stop = async () => void (await Promise.all(minions.map((minion) => minion.stop())));
  try {
    for (let index = 0; index < options.count; index++) {
      minions.push(await makeMinion(options, `${prefix}-${index}`, answers));
      if (minions.length % WAVE !== 0 && minions.length !== options.count) continue;
      const wave = minions.slice(minions.length - (minions.length % WAVE || WAVE));
      for (const minion of wave) minion.start();
      await eventually('a wave of minions joined', () => wave.every(({ applied }) => applied > 0), {
        timeoutMs: JOIN_MS,
        describe: () => JSON.stringify(wave.find(({ refused }) => refused)?.refused ?? [...answers]),
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { minions, answers, settled: () => minions.every(({ settled }) => settled), stop };
}

async function makeMinion(options: FleetOptions, node: string, answers: Map<number, number>): Promise<FakeMinion> {
  const machineId = `machine-of-${node}`;
  const token = await minionToken(layoutOf(options.dataDir), node, machineId);
  const { server, ca } = options;
  const dial = dialler({ server, path: LINK_PATH, token: () => token, ca });
  const counted: Dial = (events) =>
    dial({
      ...events,
      down: (reason, status) => {
        if (status !== undefined) answers.set(status, (answers.get(status) ?? 0) + 1);
        events.down(reason, status);
      },
    });
  return new FakeMinion({ node, machineId, timers: SYSTEM_TIMERS, dial: counted });
}
