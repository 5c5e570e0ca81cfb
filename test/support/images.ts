/**
 * Images for tests, made on the spot from the machine's own static busybox: no registry is needed, and none is named.
 * The second one is the same bytes under another tag, so that an update has something to change to.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const BUSYBOX = 'longshore.test/busybox:1';
export const OTHER_BUSYBOX = 'longshore.test/busybox:2';

/** A root file system as `docker import` takes it: busybox under every name it answers to. */
export function busyboxArchive(): Buffer {
  const root = mkdtempSync(join(tmpdir(), 'longshore-image-'));
  try {
    for (const folder of ['bin', 'etc', 'tmp', 'root', 'www'])
      mkdirSync(join(root, folder), { mode: folder === 'tmp' ? 0o1777 : 0o755 });
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n')) {
      if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
    }
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
    return execFileSync('tar', ['-C', root, '--numeric-owner', '--owner=0', '--group=0', '-cf', '-', '.'], {
      maxBuffer: 64 * 1024 * 1024,
    });
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** Puts both images into the engine at this socket; quick when they are there. */
export function importTestImages(dockerSocket: string): void {
  const docker = (args: string[], input?: Buffer) =>
    execFileSync('docker', ['-H', `unix://${dockerSocket}`, ...args], { input, encoding: 'utf8' });
  const present = new Set(docker(['images', '--format', '{{.Repository}}:{{.Tag}}']).split('\n'));
  if (!present.has(BUSYBOX)) docker(['import', '-', BUSYBOX], busyboxArchive());
  if (!present.has(OTHER_BUSYBOX)) docker(['tag', BUSYBOX, OTHER_BUSYBOX]);
}
