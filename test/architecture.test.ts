/** The import rules of the design, executable: direction between rooms, and the seams that own a dependency. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;

/** Rooms in order: a room may import from its own row only itself, and from any row above. */
const ROWS: Record<'worker' | 'agent', string[][]> = {
  worker: [
    ['worker/users.ts'],
    ['worker/store', 'worker/resources', 'worker/env.ts', 'worker/rpc.ts'],
    ['worker/registry', 'worker/admission'],
    ['worker/controllers', 'worker/scheduler', 'worker/links'],
    ['worker/http', 'worker/edge'],
    ['worker/control-plane.ts'],
    ['worker/cluster.ts', 'worker/control-plane.ts', 'worker/relay.ts', 'worker/index.ts'],
  ],
  agent: [
    ['agent/config.ts'],
    ['agent/runtime', 'agent/network', 'agent/proxy', 'agent/dns'],
    ['agent/pods', 'agent/node'],
    ['agent/link'],
    ['agent/main.ts', 'agent/cli'],
  ],
};

/** Rooms of one row that are one thing in two folders: the left may see the right. */
const SAME_ROW: Record<string, string[]> = {
  'worker/resources': ['worker/store/store.ts'],
  'worker/registry': ['worker/admission'],
  'worker/env.ts': ['worker/rpc.ts'],
  'worker/scheduler': ['worker/controllers/controller.ts'],
  'worker/cluster.ts': ['worker/env.ts', 'worker/control-plane.ts'],
  'worker/index.ts': ['worker/cluster.ts', 'worker/relay.ts'],
  'agent/main.ts': ['agent/cli'],
  'agent/cli': ['agent/main.ts'],
};

const SEAMS: Record<string, RegExp> = {
  dockerode: /^agent\/runtime\//,
  ws: /^agent\/link\//,
  hono: /^worker\/(http|edge)\//,
  'cloudflare:workers': /^worker\/(cluster|relay|index)\.ts$/,
  'spdy-transport': /^agent\/link\//,
  'dns-packet': /^agent\/dns\//,
  '@marcbachmann/cel-js': /^worker\/resources\/cel/,
  re2js: /^worker\/resources\/regex\.ts$/,
};

interface Import {
  from: string;
  to: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('node_modules') && !file.includes('/generate/') && !file.includes('/generated/'));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]/gm),
  ];
  return found.map((match) => {
    const target = match[1] ?? match[2] ?? '';
    return { from: file, to: target.startsWith('.') ? normalize(join(dirname(file), target)) : target };
  });
}

const within = (file: string, room: string) => file === room || file.startsWith(`${room}/`);

function rowOf(rows: string[][], file: string): { row: number; room: string } | undefined {
  for (const [row, rooms] of rows.entries()) {
    const room = rooms.find((each) => within(file, each));
    if (room !== undefined) return { row, room };
  }
  return undefined;
}

function violation(side: 'worker' | 'agent', each: Import): string | undefined {
  const rows = ROWS[side];
  const from = rowOf(rows, each.from);
  if (from === undefined) return `${each.from} is in no room of the design`;
  if (!each.to.startsWith(`${side}/`)) return undefined;
  const to = rowOf(rows, each.to);
  if (to === undefined) return `${each.from} imports ${each.to}, which is in no room of the design`;
  if (to.room === from.room || to.row < from.row) return undefined;
  if (SAME_ROW[from.room]?.some((allowed) => within(each.to, allowed))) return undefined;
  return `${each.from} imports ${each.to}, against the direction of the design`;
}

describe('the design', () => {
  const worker = sources('worker').flatMap(importsOf);
  const agent = sources('agent').flatMap(importsOf);
  const shared = sources('shared').flatMap(importsOf);

  test('shared imports nothing outside shared', () => {
    expect(shared.filter((each) => !each.to.startsWith('shared/'))).toEqual([]);
  });

  test('worker and agent meet only in shared', () => {
    expect(worker.filter((each) => each.to.startsWith('agent/'))).toEqual([]);
    expect(agent.filter((each) => each.to.startsWith('worker/') && !each.from.startsWith('agent/cli/'))).toEqual([]);
  });

  test('imports go from later rooms to earlier ones', () => {
    const broken = [
      ...worker.map((each) => violation('worker', each)),
      ...agent.map((each) => violation('agent', each)),
    ];
    expect(broken.filter((each) => each !== undefined)).toEqual([]);
  });

  test.each(Object.entries(SEAMS))('%s is imported only where it is owned', (dependency, owner) => {
    const users = [...worker, ...agent, ...shared].filter(
      (each) => each.to === dependency || each.to.startsWith(`${dependency}/`),
    );
    expect(users.filter((each) => !owner.test(each.from))).toEqual([]);
  });

  test('no room is called by a name that says nothing', () => {
    const files = [...sources('worker'), ...sources('agent'), ...sources('shared')];
    expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|manager|types)(\.ts|\/)/.test(file))).toEqual([]);
  });
});
