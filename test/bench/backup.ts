/**
 * Backup and restore of 150,000 objects by the command line, against the real control plane. The objects come by a restore
 * of a file that is written here, which is the first measurement; the backup of them is the second. Baseline: nothing is
 * like it, so the goal is the minute that it may take.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { backup, sha256 } from '../../agent/cli/commands/backup.ts';
import { restore } from '../../agent/cli/commands/restore.ts';
import { BACKUP_FORMAT, BACKUP_VERSION, type BackupBlock, type BackupRow, formatLine } from '../../shared/backup.ts';
import { SCHEMA_VERSION } from '../../worker/store/schema.ts';
import { startControlPlane } from '../support/longshore.ts';
import { atMost, type BenchRow, megabytes } from './row.ts';

const OBJECTS = 150_000;
const ROWS_PER_LINE = 400;
const NAMESPACES = 100;
/** Of a pod with its status, as it is stored. */
const OBJECT_BYTES = 2000;

function podRow(index: number): BackupRow {
  const namespace = `ns-${index % NAMESPACES}`;
  const name = `pod-${index}`;
  const app = `app-${index % 997}`;
  const node = `node-${index % 5000}`;
  const metadata = {
    name,
    namespace,
    uid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    resourceVersion: String(index + 10),
    creationTimestamp: '2026-11-26T00:00:00Z',
    labels: { app, tier: 'web' },
  };
  const spec = { nodeName: node, containers: [{ name: 'main', image: 'nginx' }] };
  const object = { kind: 'Pod', apiVersion: 'v1', metadata, spec, status: { phase: 'Pending', message: '' } };
  object.status.message = 'x'.repeat(Math.max(0, OBJECT_BYTES - JSON.stringify(object).length));
  const entries = ['field:spec.nodeName', node, 'field:status.phase', 'Pending', 'label:app', app, 'label:tier', 'web'];
  return [index + 10, 'pods', namespace, name, 1, JSON.stringify(entries), JSON.stringify(object)];
}

function* blocks(): Generator<BackupBlock> {
  const revision = OBJECTS + 100;
  const facts = { schema: SCHEMA_VERSION, cluster: 'bench', uid: 'bench', revision, keyspaceRevision: 1, timeMs: 1 };
  yield { kind: 'header', format: BACKUP_FORMAT, version: BACKUP_VERSION, ...facts };
  for (let at = 0; at < OBJECTS; at += ROWS_PER_LINE) {
    const count = Math.min(ROWS_PER_LINE, OBJECTS - at);
    yield { kind: 'objects', rows: Array.from({ length: count }, (_, index) => podRow(at + index)) };
  }
  yield { kind: 'end', objects: OBJECTS, keys: 0 };
}

function writeBackup(file: string): void {
  let before = '';
  const members: Buffer[] = [];
  for (const block of blocks()) {
    const { line, digest } = formatLine(before, block, sha256);
    before = digest;
    members.push(gzipSync(line, { level: 1 }));
  }
  writeFileSync(file, Buffer.concat(members));
}

async function seconds(body: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await body();
  return (performance.now() - began) / 1000;
}

export async function backups(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
  const plane = await startControlPlane();
  try {
    const [source, taken] = [join(folder, 'source'), join(folder, 'taken')];
    writeBackup(source);
    const restored = await seconds(() => restore(plane.client, source, { anyCluster: true }));
    const answered = await seconds(() => plane.api('GET', '/api/v1/namespaces/ns-1/pods/pod-1'));
    const written = await seconds(() => backup(plane.client, taken));
    const row = (what: string, took: number, more: string): BenchRow => ({
      what: `${what} of ${OBJECTS.toLocaleString('en')} objects`,
      ours: `${took.toFixed(1)} s, ${more}`,
      baseline: '-',
      goal: atMost(took, 60, 's'),
    });
    return [
      row('backup', written, `a file of ${megabytes(statSync(taken).size)}`),
      row('restore', restored, `first answer ${(answered * 1000).toFixed(0)} ms after`),
    ];
  } finally {
    await plane.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}
