/**
 * The Worker as the one ES module that workerd loads: bundled by esbuild, kept until any source changes. Bundles are named
 * by the hash of what went into them; only the newest stays.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, version as esbuildVersion } from 'esbuild';

/** What a bundle was made of, beside it on disk. */
interface Manifest {
  /** Paths relative to the project, with the hash of each file's bytes. */
  inputs: Record<string, string>;
  esbuild: string;
  entry: string;
  file: string;
}

const hashOf = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

function isCurrent(manifest: Manifest, project: string, entry: string, folder: string): boolean {
  if (manifest.esbuild !== esbuildVersion || manifest.entry !== entry) return false;
  if (!existsSync(join(folder, manifest.file))) return false;
  return Object.entries(manifest.inputs).every(([path, hash]) => {
    const file = join(project, path);
    return existsSync(file) && hashOf(readFileSync(file)) === hash;
  });
}

/** @returns the path of the bundle. @throws with esbuild's own messages when the source does not bundle. */
export async function bundleWorker(project: string, folder: string, entry = 'worker/index.ts'): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const manifestPath = join(folder, 'manifest.json');
  if (existsSync(manifestPath)) {
    const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest;
    if (isCurrent(manifest, project, entry, folder)) return join(folder, manifest.file);
  }
  const result = await build({
    absWorkingDir: project,
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const output = result.outputFiles[0];
  if (output === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  const inputs = Object.fromEntries(
    Object.keys(result.metafile.inputs).map((path) => [path, hashOf(readFileSync(join(project, path)))]),
  );
  const file = `${hashOf(output.contents).slice(0, 16)}.mjs`;
  for (const old of readdirSync(folder)) if (old.endsWith('.mjs') && old !== file) rmSync(join(folder, old));
  writeFileSync(join(folder, `${file}.new`), output.contents);
  renameSync(join(folder, `${file}.new`), join(folder, file));
  const manifest: Manifest = { inputs, esbuild: esbuildVersion, entry, file };
  writeFileSync(manifestPath, JSON.stringify(manifest));
  return join(folder, file);
}
