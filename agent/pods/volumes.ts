/**
 * A pod's volumes on the minion's disk: made before its containers, kept current while it runs, removed after it. What
 * files the cluster's objects amount to is in `volume-contents.ts`. Which of them a container sees is `mountsOf`.
 */
import { chmod, chown, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Container, Pod, Volume } from '../../shared/api/core.ts';
import { quantityValue } from '../../shared/quantity.ts';
import type { Mount } from '../runtime/runtime.ts';
import { writeAtomically } from './atomic-writer.ts';
import { checkHostPath } from './host-path.ts';
import type { PodFiles } from './pod-files.ts';
import { mountTmpfs, unmountBelow } from './tmpfs.ts';
import { type ContentSources, contentsOf, VolumeError } from './volume-contents.ts';

const PLUGINS: Record<string, string> = {
  emptyDir: 'kubernetes.io~empty-dir',
  configMap: 'kubernetes.io~configmap',
  secret: 'kubernetes.io~secret',
  downwardAPI: 'kubernetes.io~downward-api',
  projected: 'kubernetes.io~projected',
};

/**
 * Makes all volumes, or brings them up to date; what is right stays. The names of those that changed are the answer.
 * @throws VolumeError whose message says which volume and why.
 */
export async function prepareVolumes(
  pod: Pod,
  files: PodFiles,
  sources: ContentSources,
  nowMs: number,
): Promise<string[]> {
  const changed = await Promise.all(
    (pod.spec.volumes ?? []).map(async (volume) => {
      try {
        return (await prepareVolume(pod, volume, files, sources, nowMs)) ? [volume.name] : [];
      } catch (error) {
        throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`, {
          cause: error,
        });
      }
    }),
  );
  return changed.flat();
}

async function prepareVolume(
  pod: Pod,
  volume: Volume,
  files: PodFiles,
  sources: ContentSources,
  nowMs: number,
): Promise<boolean> {
  if (volume.hostPath !== undefined) {
    await checkHostPath(volume.hostPath);
    return false;
  }
  const folder = folderOf(volume, files);
  const group = pod.spec.securityContext?.fsGroup;
  const payload = await contentsOf(pod, volume, sources, (path) => textAt(join(folder, path)));
  if (payload !== undefined) return writeAtomically(folder, payload, { nowMs, group });
  return prepareEmptyDir(volume, folder, group);
}

async function textAt(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @throws VolumeError that names the type of volume that is not supported. */
function folderOf(volume: Volume, files: PodFiles): string {
  const type = Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
  const plugin = PLUGINS[type];
  if (plugin === undefined) throw new VolumeError(`Longshore does not support volumes of type ${type}`);
  return files.volume(plugin, volume.name);
}

async function prepareEmptyDir(volume: Volume, folder: string, group: number | undefined): Promise<boolean> {
  const { medium = '', sizeLimit } = volume.emptyDir ?? {};
  if (medium !== '' && medium !== 'Memory')
    throw new VolumeError(`Longshore does not support emptyDir with the medium ${medium}`);
  const isMade = (await mkdir(folder, { recursive: true })) !== undefined;
  // After a reboot the folder is still there, the memory is not.
  const isMounted = medium === 'Memory' && (await mountTmpfs(folder, bytesOf(sizeLimit)));
  if (!isMade && !isMounted) return false;
  await chmod(folder, 0o777);
  if (group !== undefined) {
    await chown(folder, 0, group);
    await chmod(folder, 0o2777);
  }
  return true;
}

const bytesOf = (quantity: string | undefined) => (quantity === undefined ? undefined : quantityValue(quantity));

/** Everything of the pod on the disk, volumes among it. */
export async function removePodFiles(files: PodFiles): Promise<void> {
  await unmountBelow(files.root);
  await rm(files.root, { recursive: true, force: true });
}

/** The pods that have files here, by uid. */
export async function podsOnDisk(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o750 });
  return readdir(folder);
}

/** @throws VolumeError for a mount of no volume, or a subPath that leads out of its volume. */
export function mountsOf(
  pod: Pod,
  container: Container,
  files: PodFiles,
  expanded: (text: string) => string,
): Promise<Mount[]> {
  return Promise.all(
    (container.volumeMounts ?? []).map(async (mount): Promise<Mount> => {
      const volume = (pod.spec.volumes ?? []).find((each) => each.name === mount.name);
      if (volume === undefined)
        throw new VolumeError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
      const root = volume.hostPath?.path ?? folderOf(volume, files);
      const subPath = mount.subPathExpr === undefined ? mount.subPath : expanded(mount.subPathExpr);
      return {
        hostPath: subPath === undefined || subPath === '' ? root : await insideVolume(root, subPath, volume),
        containerPath: resolve('/', mount.mountPath),
        // Kubernetes: what the kubelet writes, containers may not.
        readOnly: mount.readOnly === true || (volume.hostPath === undefined && volume.emptyDir === undefined),
      };
    }),
  );
}

async function insideVolume(root: string, subPath: string, volume: Volume): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..'))
    throw new VolumeError(`subPath "${subPath}" of volume "${volume.name}" must be relative and must not contain ".."`);
  const path = join(root, subPath);
  const writable = volume.emptyDir !== undefined || volume.hostPath !== undefined;
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  if (!exists) {
    if (!writable) throw new VolumeError(`subPath "${subPath}" is not in volume "${volume.name}"`);
    await mkdir(path, { recursive: true, mode: 0o750 });
    await chmod(path, (await stat(root)).mode & 0o7777);
  }
  const real = await realpath(path);
  const realRoot = await realpath(root);
  if (real !== realRoot && !real.startsWith(`${realRoot}/`))
    throw new VolumeError(`subPath "${subPath}" leads out of volume "${volume.name}"`);
  return real;
}
