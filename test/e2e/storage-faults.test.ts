/**
 * The storage beneath the control plane in trouble: a disk that is full, a database that somebody else holds, a page that is
 * damaged. Each is said clearly, nothing is half written, and what there was stays readable. Real workerd, real files.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import type { Status } from '../../shared/api/meta.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PAGE_BYTES = 4096;
/** The first byte of a leaf of a table. */
const TABLE_LEAF = 0x0d;

let plane: ControlPlane;
const undo: (() => void)[] = [];

beforeEach(async () => {
  plane = await startControlPlane();
  await create('first');
});
afterEach(async () => {
  await plane?.kill('SIGKILL');
  for (const step of undo.splice(0).reverse()) step();
  await plane?.dispose();
});

async function create(name: string, size = 10): Promise<Status & { http: number }> {
  const { status, body } = await plane.api('POST', CONFIG_MAPS, {
    metadata: { name },
    data: { value: 'x'.repeat(size) },
  });
  return { http: status, ...(body as Status) };
}

async function names(): Promise<string[]> {
  const { status, body } = await plane.api('GET', CONFIG_MAPS);
  expect(status).toBe(200);
  const { items } = body as { items: { metadata: { name: string } }[] };
  return items.map(({ metadata }) => metadata.name).filter((name) => !name.startsWith('kube-'));
}

function databaseFile(): string {
  const folder = join(layoutOf(plane.dataDir).objects, 'longshore-cluster');
  const file = readdirSync(folder).find((each) => each.endsWith('.sqlite') && each !== 'metadata.sqlite');
  if (file === undefined) throw new Error(`no object in ${folder}`);
  return join(folder, file);
}

const system = (command: string, ...args: string[]) => execFileSync(command, args);

/** The objects' files on a disk of this size, of their own. */
async function onSmallDisk(size: string): Promise<string> {
  const { objects } = layoutOf(plane.dataDir);
  await plane.kill('SIGKILL');
  const saved = mkdtempSync(join(tmpdir(), 'longshore-objects-'));
  undo.push(() => rmSync(saved, { recursive: true, force: true }));
  cpSync(objects, saved, { recursive: true });
  system('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', objects);
  undo.push(() => system('umount', '-l', objects));
  cpSync(saved, objects, { recursive: true });
  await plane.restart();
  return objects;
}

test('a full disk is said, leaves nothing half written, and is over when there is room again', async () => {
  const objects = await onSmallDisk('6m');
  const written = ['first'];
  let refused: (Status & { http: number }) | undefined;
  for (let i = 0; i < 100 && refused === undefined; i += 1) {
    const answer = await create(`big-${i}`, 150_000);
    if (answer.http === 201) written.push(`big-${i}`);
    else refused = answer;
  }
  expect(refused).toMatchObject({
    http: 500,
    reason: 'InternalError',
    message: expect.stringContaining('database space exceeded'),
  });
  expect((await names()).sort()).toEqual(written.toSorted());
  await plane.kill('SIGKILL');
  await plane.restart();
  expect((await names()).sort()).toEqual(written.toSorted());
  system('mount', '-o', 'remount,size=64m', objects);
  expect((await create('after', 150_000)).http).toBe(201);
  expect(await names()).toContain('after');
});

test('a database that somebody else writes to is said, and can be read meanwhile', async () => {
  const other = new DatabaseSync(databaseFile());
  undo.push(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  expect(await create('second')).toMatchObject({ http: 503, reason: 'ServiceUnavailable' });
  expect(await names()).toEqual(['first']);
  other.exec('ROLLBACK');
  expect((await create('second')).http).toBe(201);
  expect(await names()).toEqual(['first', 'second']);
});

/** Makes the page unreadable that holds this object's row. */
async function damagePageOf(name: string): Promise<void> {
  await plane.kill('SIGKILL');
  const file = databaseFile();
  const database = new DatabaseSync(file);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  const bytes = readFileSync(file);
  const key = Buffer.from(`configmapsdefault${name}`);
  let page = PAGE_BYTES;
  while (bytes[page] !== TABLE_LEAF || !bytes.subarray(page, page + PAGE_BYTES).includes(key)) {
    page += PAGE_BYTES;
    if (page >= bytes.length) throw new Error(`no page holds ${name}`);
  }
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(PAGE_BYTES, 0xff), 0, PAGE_BYTES, page);
  closeSync(descriptor);
  await plane.restart();
}

test('a damaged page is said to whoever needs it; everything else is read and written', async () => {
  for (let i = 0; i < 20; i += 1) await create(`filler-${i}`, 3000);
  await damagePageOf('filler-3');
  const { status, body } = await plane.api('GET', `${CONFIG_MAPS}/filler-3`);
  expect([status, body]).toEqual([
    500,
    expect.objectContaining({ reason: 'InternalError', message: expect.stringContaining('is damaged') }),
  ]);
  expect((await plane.api('GET', `${CONFIG_MAPS}/filler-15`)).status).toBe(200);
  expect((await create('new')).http).toBe(201);
  const refused = await plane.api('PUT', `${CONFIG_MAPS}/filler-3`, {
    metadata: { name: 'filler-3' },
    data: { value: 'y' },
  });
  expect(refused.status).toBe(500);
  expect((await plane.api('GET', `${CONFIG_MAPS}/new`)).status).toBe(200);
});
