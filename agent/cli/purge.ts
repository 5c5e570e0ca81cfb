/**
 * Removes every trace of Longshore from this machine: containers and the images that were made here, interfaces, routes and
 * nftables, the data directory, and the Docker engine's process when it was started here. What others made is told by
 * labels and names, and stays; packages stay.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execCommand } from '../network/commands.ts';
import { FlannelNetwork } from '../network/flannel.ts';
import { NftablesProxy } from '../proxy/nftables.ts';
import { createDockerRuntime } from '../runtime/docker-runtime.ts';
import { PAUSE_IMAGE } from '../runtime/pause-image.ts';
import { layoutOf } from './control-plane/layout.ts';
import { type EngineApi, engineApi } from './images/engine-api.ts';
import { MADE_PREFIX } from './images/references.ts';
import { endByPidFile } from './pid-file.ts';
import type { Settings } from './settings.ts';
import { engineAnswers } from './setup/observe.mjs';
import type { Say } from './supervisor.ts';

async function removeContainers(settings: Settings): Promise<number> {
  const runtime = createDockerRuntime(settings.minion);
  const containers = await runtime.list();
  // Containers first, then the sandboxes whose network they use.
  for (const sandboxes of [false, true]) {
    const some = containers.filter((each) => (each.kind === 'sandbox') === sandboxes);
    await Promise.all(some.map(({ id }) => runtime.stop(id, 0).then(() => runtime.remove(id))));
  }
  return containers.length;
}

/** The folder for manifest files is made at each start; files in it are their author's. */
function removeIfEmpty(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length > 0) return;
  rmdirSync(folder);
  if (readdirSync(dirname(folder)).length === 0) rmdirSync(dirname(folder));
}

interface EngineImage {
  RepoTags: string[] | null;
}

/** Images made here; one that another container still uses stays. */
async function removeImages(engine: EngineApi): Promise<void> {
  const { status, body } = await engine.call('GET', '/images/json');
  if (status !== 200) throw new Error(`the Docker engine answered ${status} when asked for its images: ${body}`);
  const tags = (JSON.parse(body) as EngineImage[]).flatMap((image) => image.RepoTags ?? []);
  for (const tag of tags.filter((each) => each.startsWith(MADE_PREFIX) || each === PAUSE_IMAGE)) {
    const removed = await engine.call('DELETE', `/images/${encodeURIComponent(tag)}`);
    if (![200, 404, 409].includes(removed.status)) throw new Error(`image ${tag} was not removed: ${removed.body}`);
  }
}

/** Memory-backed volumes of pods are mounts, which keep their folder from being removed. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) await execCommand('umount', [path]);
}

export async function purge(settings: Settings, say: Say): Promise<void> {
  const layout = layoutOf(settings.dataDir);
  const { instance, dockerSocket } = settings.minion;
  if (await engineAnswers(dockerSocket)) {
    say(`Removed ${await removeContainers(settings)} containers.`);
    await removeImages(engineApi(dockerSocket));
  } else {
    say(`No Docker engine answers at ${dockerSocket}: containers, if there are any, stay.`);
  }
  const stateDir = join(layout.agent, 'network');
  if (existsSync(layout.agent)) {
    const network = new FlannelNetwork({ instance, stateDir, exec: execCommand, log: say });
    await network.purge();
    network.close();
    await new NftablesProxy({ instance, exec: execCommand, log: say }).purge();
    say('Removed interfaces, routes and nftables tables.');
  }
  if (existsSync(layout.enginePid) && (await endByPidFile(layout.enginePid, 'dockerd', 'SIGTERM', 20_000))) {
    say('Ended the Docker engine that was started here.');
  }
  removeIfEmpty(settings.minion.manifestDir);
  await unmountBelow(layout.dataDir);
  rmSync(layout.dataDir, { recursive: true, force: true });
  say(`Removed ${layout.dataDir}.`);
}
