/**
 * Pods from manifest files in a folder of the minion, as kubelet's --pod-manifest-path: named after the node, known to the
 * cluster only by mirror pods, and running whether or not there is a cluster. A file that is no pod is logged, the others
 * go on. Reading one manifest is pure (`staticPodOf`).
 */
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Pod } from '../../shared/api/core.ts';
import { CONFIG_HASH_ANNOTATION, CONFIG_SOURCE_ANNOTATION, MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';
import type { Clock, Log } from './parts.ts';

/** Editors write a file in several steps: the folder is read when it has been quiet for this long. */
const QUIET_MS = 100;
/** As kubelet's --file-check-frequency: for file systems that tell nobody. */
const RESCAN_MS = 20_000;
const SEEN_ANNOTATION = 'kubernetes.io/config.seen';

export class StaticPods {
  readonly #folder: string;
  readonly #nodeName: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onChange: (pods: Pod[]) => void;
  /** What is wrong with each file, so that it is said once. */
  readonly #complaints = new Map<string, string>();
  #watcher: FSWatcher | undefined;
  #callOffTimer: () => void = () => {};
  #last = '';
  #stopped = false;

  constructor(
    config: { manifestDir: string; nodeName: string },
    parts: { clock: Clock; log: Log },
    onChange: (pods: Pod[]) => void,
  ) {
    this.#folder = config.manifestDir;
    this.#nodeName = config.nodeName;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#onChange = onChange;
  }

  /** The pods at this moment are known when it returns. */
  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    this.#watcher = watch(this.#folder, () => this.#rescanIn(QUIET_MS));
    this.#watcher.on('error', (error) => this.#log.warn({ err: error }, 'the manifest folder is no longer watched'));
    await this.#scan();
  }

  stop(): void {
    this.#stopped = true;
    this.#watcher?.close();
    this.#callOffTimer();
  }

  #rescanIn(ms: number): void {
    this.#callOffTimer();
    if (this.#stopped) return;
    this.#callOffTimer = this.#clock.after(ms, () => {
      this.#scan().catch((error: unknown) => {
        this.#log.error({ err: error }, 'the manifest folder cannot be read');
        this.#rescanIn(RESCAN_MS);
      });
    });
  }

  async #scan(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => !name.startsWith('.')).sort();
    const pods = (await Promise.all(names.map((name) => this.#read(name)))).flat();
    this.#rescanIn(RESCAN_MS);
    const digest = pods.map((pod) => pod.metadata.uid).join(' ');
    if (digest === this.#last) return;
    this.#last = digest;
    if (!this.#stopped) this.#onChange(withoutDuplicates(pods));
  }

  async #read(name: string): Promise<Pod[]> {
    const path = join(this.#folder, name);
    try {
      const pod = staticPodOf(await readFile(path, 'utf8'), path, this.#nodeName, this.#clock.now());
      this.#complaints.delete(name);
      return [pod];
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'EISDIR') return [];
      if (this.#complaints.get(name) !== message)
        this.#log.error({ file: path, reason: message }, 'not a pod manifest');
      this.#complaints.set(name, message);
      return [];
    }
  }
}

/** Two files with a pod of one name: the first by file name counts. */
function withoutDuplicates(pods: Pod[]): Pod[] {
  const byName = new Map<string, Pod>();
  for (const pod of pods) {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    if (!byName.has(key)) byName.set(key, pod);
  }
  return [...byName.values()];
}

/** @throws when the text is not one pod. */
export function staticPodOf(text: string, path: string, nodeName: string, nowMs: number): Pod {
  const manifest = parse(text) as Partial<Pod> | null;
  if (manifest?.kind !== 'Pod' || manifest.apiVersion !== 'v1') throw new Error('expected apiVersion v1, kind Pod');
  const { metadata, spec } = manifest;
  if (typeof metadata?.name !== 'string' || metadata.name === '') throw new Error('metadata.name: Required value');
  if (!Array.isArray(spec?.containers) || spec.containers.length === 0)
    throw new Error('spec.containers: Required value');
  const unnamed = spec.containers.find((each) => !each?.name || !each.image);
  if (unnamed !== undefined) throw new Error('spec.containers: every container needs a name and an image');
  const forbidden = referencesIn(manifest as Pod);
  if (forbidden !== undefined) throw new Error(`static pods may not refer to API objects: ${forbidden}`);

  const uid = createHash('md5').update(`host:${nodeName}file:${path}${text}`).digest('hex');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName.toLowerCase()}`,
      namespace: metadata.namespace ?? 'default',
      uid,
      resourceVersion: '',
      creationTimestamp: formatTime(nowMs),
      annotations: {
        ...metadata.annotations,
        [CONFIG_SOURCE_ANNOTATION]: 'file',
        [CONFIG_HASH_ANNOTATION]: uid,
        [SEEN_ANNOTATION]: formatTime(nowMs),
      },
    },
    spec: {
      ...spec,
      nodeName,
      // Kubernetes: a static pod tolerates everything that would evict it.
      tolerations: [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
    },
  };
}

/** Kubernetes: a pod that must start without a cluster cannot depend on its objects. */
function referencesIn(pod: Pod): string | undefined {
  if ((pod.spec.serviceAccountName ?? '') !== '') return 'spec.serviceAccountName';
  const volume = (pod.spec.volumes ?? []).find((each) => each.configMap ?? each.secret);
  if (volume !== undefined) return `spec.volumes[${volume.name}]`;
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container = all.find(
    (each) =>
      (each.envFrom ?? []).length > 0 ||
      (each.env ?? []).some(({ valueFrom }) => (valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef) !== undefined),
  );
  return container === undefined ? undefined : `spec.containers[${container.name}].env`;
}

/** What the cluster shows of a static pod. */
export function mirrorOf(pod: Pod): Draft<Pod> {
  const { name, namespace, labels, annotations, uid } = pod.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations: { ...annotations, [MIRROR_ANNOTATION]: uid } },
    spec: pod.spec,
  };
}
