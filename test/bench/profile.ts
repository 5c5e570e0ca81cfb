/**
 * Where the time of workerd's isolate goes while ours is measured: with `--profile` a measurement's control plane runs
 * under the inspector, every round of ours is profiled, and at the end functions are printed by what they took themselves
 * and with all that they called. The figures of such a run are not to be compared: a profile costs time.
 * Source: https://chromedevtools.github.io/devtools-protocol/v8/Profiler/
 */
import type { ControlPlane } from '../support/longshore.ts';
import { type Inspected, startInspected } from './inspected.ts';

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

interface Profile {
  nodes: ProfileNode[];
  /** Node ids, and the microseconds since the sample before. */
  samples: number[];
  timeDeltas: number[];
}

interface Times {
  name: string;
  selfUs: number;
  totalUs: number;
}

const INTERVAL_US = 200;
const SHOWN = 45;

let isWanted = false;
/** Of the control plane that runs under the inspector; measurements run one after the other. */
let running: { inspected: Inspected; profiles: Profile[] } | undefined;

/** Control planes that start from now on run under the inspector. */
export function profileFromNow(): void {
  isWanted = true;
}

/** Starts the control plane again under the inspector, where that is wanted. Returns what ends it and prints. */
export async function underProfile(controlPlane: ControlPlane): Promise<() => Promise<void>> {
  if (!isWanted) return async () => undefined;
  await controlPlane.kill('SIGTERM');
  const inspected = await startInspected(controlPlane);
  const profiles: Profile[] = [];
  running = { inspected, profiles };
  return async () => {
    running = undefined;
    await inspected.stop();
    console.error(profileText(profiles));
  };
}

/** Runs this under the profiler, where one is. */
export async function profiled<T>(body: () => Promise<T>): Promise<T> {
  if (running === undefined) return body();
  const { inspected, profiles } = running;
  await inspected.send('Profiler.enable');
  await inspected.send('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  await inspected.send('Profiler.start');
  try {
    return await body();
  } finally {
    profiles.push(((await inspected.send('Profiler.stop')) as { profile: Profile }).profile);
  }
}

/** Times by function, of all profiles together, most of its own first. */
function timesOf(profiles: readonly Profile[]): Times[] {
  const byName = new Map<string, Times>();
  for (const profile of profiles) addTimes(profile, byName);
  return [...byName.values()].sort((a, b) => b.selfUs - a.selfUs);
}

function addTimes({ nodes, samples, timeDeltas }: Profile, byName: Map<string, Times>): void {
  const selfUs = new Map<number, number>();
  for (const [index, id] of samples.entries()) selfUs.set(id, (selfUs.get(id) ?? 0) + (timeDeltas[index] ?? 0));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const children = new Set(nodes.flatMap((node) => node.children ?? []));
  /** Microseconds of this node and all below it. A function that calls itself counts once. */
  const add = (node: ProfileNode, above: ReadonlySet<string>): number => {
    const name = nameOf(node);
    const self = selfUs.get(node.id) ?? 0;
    const below = new Set(above).add(name);
    let total = self;
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) total += add(child, below);
    }
    const times = byName.get(name) ?? { name, selfUs: 0, totalUs: 0 };
    times.selfUs += self;
    if (!above.has(name)) times.totalUs += total;
    byName.set(name, times);
    return total;
  };
  for (const node of nodes) if (!children.has(node.id)) add(node, new Set());
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName || '(anonymous)';
  return url === '' ? name : `${name}:${lineNumber + 1}`;
}

function profileText(profiles: readonly Profile[]): string {
  const times = timesOf(profiles);
  const idleUs = times.find(({ name }) => name === '(idle)')?.selfUs ?? 0;
  const busy = times.filter(({ name }) => name !== '(idle)' && name !== '(root)');
  const busyUs = busy.reduce((sum, { selfUs }) => sum + selfUs, 0);
  const share = (us: number) => `${((100 * us) / Math.max(busyUs, 1)).toFixed(1).padStart(6)} %`;
  const line = ({ name, selfUs, totalUs }: Times) => `${share(selfUs)} ${share(totalUs)}  ${name}`;
  const table = (title: string, sorted: readonly Times[]) => [title, ...sorted.slice(0, SHOWN).map(line)];
  return [
    `busy ${(busyUs / 1e6).toFixed(2)} s, idle ${(idleUs / 1e6).toFixed(2)} s; function: line of the bundle`,
    ...table('by own time:\n    self    total', busy),
    ...table(
      'by all below:\n    self    total',
      [...busy].sort((a, b) => b.totalUs - a.totalUs),
    ),
  ].join('\n');
}
