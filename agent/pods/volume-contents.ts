/**
 * What files a configMap, secret, downwardAPI or projected volume holds. Reads the minion's copy of the cluster's objects;
 * only a projected token is asked for elsewhere. What is missing is a VolumeError, in upstream's words.
 */
import type { ConfigMap, DownwardAPIFile, KeyToPath, Pod, Secret, Volume } from '../../shared/api/core.ts';
import type { Payload, PayloadFile } from './atomic-writer.ts';
import { fieldOf, type NodeFacts, resourceOf } from './field-ref.ts';
import type { TokenSource } from './parts.ts';
import type { References } from './pods.ts';

export class VolumeError extends Error {}

export interface ContentSources {
  references: References;
  facts: NodeFacts;
  tokens: TokenSource | undefined;
}

const DEFAULT_MODE = 0o644;
/** Kubernetes: tokens are asked to last an hour unless said otherwise. */
const TOKEN_SECONDS = 3600;

type Files = Map<string, PayloadFile>;

/** What the volume holds at this path; undefined: nothing yet. */
export type HeldFiles = (path: string) => Promise<string | undefined>;

/** Undefined for volumes whose files are not ours to write. */
export async function contentsOf(
  pod: Pod,
  volume: Volume,
  sources: ContentSources,
  held: HeldFiles,
): Promise<Payload | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const mode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? DEFAULT_MODE;
  if (configMap !== undefined) return configMapFiles(pod, configMap.name ?? '', configMap, mode, sources);
  if (secret !== undefined) return secretFiles(pod, secret.secretName ?? '', secret, mode, sources);
  if (downwardAPI !== undefined) return downwardFiles(pod, downwardAPI.items ?? [], mode, sources);
  if (projected === undefined) return undefined;
  const all: Files = new Map();
  for (const source of projected.sources ?? []) {
    for (const [path, file] of await projectedFiles(pod, source, mode, sources, held)) all.set(path, file);
  }
  return all;
}

type ProjectedSource = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

async function projectedFiles(
  pod: Pod,
  source: ProjectedSource,
  mode: number,
  sources: ContentSources,
  held: HeldFiles,
): Promise<Files> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap !== undefined) return configMapFiles(pod, configMap.name ?? '', configMap, mode, sources);
  if (secret !== undefined) return secretFiles(pod, secret.name ?? '', secret, mode, sources);
  if (downwardAPI !== undefined) return downwardFiles(pod, downwardAPI.items ?? [], mode, sources);
  if (serviceAccountToken === undefined)
    throw new VolumeError(`Longshore does not support projected volumes from ${Object.keys(source)[0] ?? 'nothing'}`);
  if (sources.tokens === undefined)
    throw new VolumeError('Longshore does not support projected volumes from serviceAccountToken on this minion');
  const token = await sources.tokens(
    pod.metadata.namespace ?? '',
    pod.spec.serviceAccountName ?? 'default',
    serviceAccountToken.audience ?? '',
    serviceAccountToken.expirationSeconds ?? TOKEN_SECONDS,
    pod,
    await held(serviceAccountToken.path),
  );
  // Kubernetes: readable to others only where fsGroup cannot make it readable to the pod's user.
  const tokenMode = pod.spec.securityContext?.fsGroup === undefined ? mode : 0o600;
  return new Map([[serviceAccountToken.path, { content: Buffer.from(token), mode: tokenMode }]]);
}

interface Selection {
  items?: KeyToPath[];
  optional?: boolean;
}

function configMapFiles(pod: Pod, name: string, selection: Selection, mode: number, sources: ContentSources): Files {
  const namespace = pod.metadata.namespace ?? '';
  const found = sources.references.configMap(namespace, name);
  if (found === undefined && selection.optional !== true) throw new VolumeError(`configmap "${name}" not found`);
  return selected(bytesOfConfigMap(found), selection, mode, `configmap references non-existent config key`);
}

function secretFiles(pod: Pod, name: string, selection: Selection, mode: number, sources: ContentSources): Files {
  const namespace = pod.metadata.namespace ?? '';
  const found = sources.references.secret(namespace, name);
  if (found === undefined && selection.optional !== true) throw new VolumeError(`secret "${name}" not found`);
  return selected(bytesOfSecret(found), selection, mode, 'references non-existent secret key');
}

function bytesOfConfigMap(configMap: ConfigMap | undefined): Map<string, Buffer> {
  const texts = Object.entries(configMap?.data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const);
  const binaries = Object.entries(configMap?.binaryData ?? {});
  return new Map([...texts, ...binaries.map(([key, text]) => [key, Buffer.from(text, 'base64')] as const)]);
}

function bytesOfSecret(secret: Secret | undefined): Map<string, Buffer> {
  return new Map(Object.entries(secret?.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]));
}

function selected(data: Map<string, Buffer>, { items, optional }: Selection, mode: number, missing: string): Files {
  if (items === undefined || items.length === 0)
    return new Map([...data].map(([key, content]) => [key, { content, mode }]));
  const files: Files = new Map();
  for (const item of items) {
    const content = data.get(item.key);
    if (content !== undefined) files.set(item.path, { content, mode: item.mode ?? mode });
    else if (optional !== true) throw new VolumeError(`${missing}: ${item.key}`);
  }
  return files;
}

function downwardFiles(pod: Pod, items: DownwardAPIFile[], mode: number, sources: ContentSources): Files {
  const text = (item: DownwardAPIFile) => {
    if (item.fieldRef !== undefined) return fieldOf(pod, item.fieldRef.fieldPath, sources.facts);
    if (item.resourceFieldRef !== undefined) return resourceOf(pod, item.resourceFieldRef, '', sources.facts);
    throw new VolumeError(`downwardAPI item ${item.path} has neither fieldRef nor resourceFieldRef`);
  };
  return new Map(items.map((item) => [item.path, { content: Buffer.from(text(item)), mode: item.mode ?? mode }]));
}
