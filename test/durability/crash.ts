/**
 * The control plane killed with SIGKILL under writers and watchers, round after round. Nothing of it is mocked: workerd, its
 * SQLite files, HTTPS. A bounded part runs with the end-to-end tests, the whole as `npm run crash`.
 */
import type { ApiClient } from '../../agent/cli/api-client.ts';
import { eventually } from '../support/eventually.ts';
import type { ControlPlane } from '../support/longshore.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Chronicle } from './chronicle.ts';
import { answered, Follower, type Kept, toldOf } from './follower.ts';
import { newLedger, Writer } from './writers.ts';

export interface CrashOptions {
  seed: number;
  kills: number;
  /** About so many acknowledged writes between two kills. */
  writesPerRound: number;
  writers: number;
  followers: number;
  /** Checked before each round: a run that is to end early ends whole. */
  enough?: () => boolean;
  say?: (line: string) => void;
}

export interface CrashReport {
  kills: number;
  acknowledged: number;
  /** Cut calls, and how many of them turned out to be committed. */
  unanswered: number;
  committedUnanswered: number;
  reads: number;
  events: number;
  told: number;
  reconnects: number;
  expired: number;
  revision: number;
  violations: string[];
}

const NAMESPACE = 'durability';
const PATH = `/api/v1/namespaces/${NAMESPACE}/configmaps`;

interface List {
  metadata: { resourceVersion: string };
  items: Kept[];
}

/** Writes a marker and reads what the store says happened up to it. */
export async function readChronicle(
  client: ApiClient,
  configMaps: string,
  chronicle: Chronicle,
  marker: string,
): Promise<void> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: marker }, data: { value: marker } };
  const written = await client.json<Kept>('POST', configMaps, object);
  const end = Number(written.metadata.resourceVersion);
  const stop = new AbortController();
  const path = `${configMaps}?watch=true&resourceVersion=${chronicle.revision}`;
  for await (const { type, object } of client.watch<Kept>(path, stop.signal)) {
    if (type === 'ERROR') throw new Error(`the chronicle was told ${JSON.stringify(object)}`);
    chronicle.add(toldOf(type, object));
    if (chronicle.revision >= end) break;
  }
}

export async function runCrashes(controlPlane: ControlPlane, options: CrashOptions): Promise<CrashReport> {
  const { client } = controlPlane;
  const random = seededRandom(options.seed);
  const say = options.say ?? (() => undefined);
  await client.json('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE },
  });
  const first = await client.json<List>('GET', PATH);
  const from = Number(first.metadata.resourceVersion);
  const chronicle = new Chronicle(from);
  // What was there before the first event.
  chronicle.events.push(...first.items.map((item) => toldOf('ADDED', item)));
  const ledger = newLedger();
  const writers = Array.from(
    { length: options.writers },
    (_, index) => new Writer(client, PATH, `w${index}`, seededRandom(random.below(2 ** 31)), ledger),
  );
  const followers = Array.from({ length: options.followers }, () => new Follower(client, PATH));
  for (const follower of followers) follower.start(from);
  let kills = 0;
  let judged = 0;
  try {
    while (kills < options.kills && !(options.enough?.() ?? false)) {
      const enough = ledger.acknowledged.length + Math.ceil(options.writesPerRound * (0.5 + random.next()));
      let stopped = false;
      const writing = Promise.all(writers.map((writer) => writer.run(() => stopped)));
      await Promise.race([writing, eventually('enough writes', () => ledger.acknowledged.length >= enough)]);
      // Not always at the same place between two looks.
      await new Promise((resolve) => setTimeout(resolve, random.below(40)));
      const killed = controlPlane.kill('SIGKILL');
      stopped = true;
      await killed;
      await writing;
      kills += 1;
      await controlPlane.restart();
      const list = await answered('a list', () => client.json<List>('GET', PATH));
      chronicle.reached(Number(list.metadata.resourceVersion), `after kill ${kills}`);
      await readChronicle(client, PATH, chronicle, `marker-${kills}`);
      chronicle.judgeWrites(ledger.acknowledged.slice(judged));
      judged = ledger.acknowledged.length;
      if (kills % 10 === 0) say(`${kills} kills, ${judged} writes acknowledged, revision ${chronicle.revision}`);
    }
    for (const follower of followers) {
      await eventually('every follower at the end', () => {
        if (follower.failure !== undefined) throw new Error('a follower failed', { cause: follower.failure });
        return follower.position >= chronicle.revision;
      });
    }
  } finally {
    await Promise.all(followers.map((follower) => follower.stop()));
  }
  const last = await client.json<List>('GET', PATH);
  chronicle.judgeList(last.items.map((item) => toldOf('ADDED', item)));
  // What was acknowledged in any round is there at the end, too.
  chronicle.judgeWrites(ledger.acknowledged);
  for (const [index, follower] of followers.entries()) {
    for (const segment of follower.segments) chronicle.judgeSegment(`follower ${index}`, segment);
  }
  const values = new Set(chronicle.events.map(({ type, name, value }) => `${type === 'DELETED'} ${name}=${value}`));
  return {
    kills,
    acknowledged: ledger.acknowledged.length,
    unanswered: ledger.unanswered.length,
    committedUnanswered: ledger.unanswered.filter(({ type, name, value }) =>
      values.has(`${type === 'delete'} ${name}=${value}`),
    ).length,
    reads: ledger.reads,
    events: chronicle.events.length,
    told: followers.reduce((sum, { told }) => sum + told, 0),
    reconnects: followers.reduce((sum, { reconnects }) => sum + reconnects, 0),
    expired: followers.reduce((sum, { expired }) => sum + expired, 0),
    revision: chronicle.revision,
    violations: [...chronicle.violations, ...ledger.violations],
  };
}
