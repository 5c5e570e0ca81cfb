/**
 * What a minion is told, composed from stored text: its own pods, the configmaps and secrets that these use, and what every
 * minion needs (Services, EndpointSlices, Nodes). One function makes the whole picture, one what changed; both only read.
 * Which sockets get it is in `minions.ts`.
 */
import type { Node, Pod } from '../../shared/api/core.ts';
import type { LinkedResource, Removal } from '../../shared/link/protocol.ts';
import { PODS_DEFINITION } from '../resources/pods.ts';
import type { Change, IndexEntry, ObjectKey, Reader } from '../store/store.ts';

/** Puts as JSON text, by key, so that the last word on an object wins. */
export interface Delta {
  puts: Map<string, string>;
  removals: Map<string, Removal>;
}

const REFERENCES = ['configmaps', 'secrets'] as const;
const SHARED = ['services', 'endpointslices.discovery.k8s.io', 'nodes'] as const;
type Reference = (typeof REFERENCES)[number];

const MAX_MESSAGE_CHARACTERS = 1_000_000;
const PAGE = 500;

export const isReference = (resource: string): resource is Reference =>
  (REFERENCES as readonly string[]).includes(resource);
export const isShared = (resource: string): resource is (typeof SHARED)[number] =>
  (SHARED as readonly string[]).includes(resource);

const emptyDelta = (): Delta => ({ puts: new Map(), removals: new Map() });
export const isEmpty = (delta: Delta): boolean => delta.puts.size === 0 && delta.removals.size === 0;

const onNode = (node: string): IndexEntry => ({ index: 'field:spec.nodeName', value: node });

function has(entries: readonly IndexEntry[] | undefined, wanted: IndexEntry): boolean {
  return entries?.some((entry) => entry.index === wanted.index && entry.value === wanted.value) ?? false;
}

const referencesOf = (entries: readonly IndexEntry[] | undefined): string[] =>
  (entries ?? [])
    .filter((entry) => entry.index === 'uses' && isReference(entry.value.slice(0, entry.value.indexOf('/'))))
    .map((entry) => entry.value);

const keyText = (key: ObjectKey) => `${key.resource} ${key.namespace}/${key.name}`;

function put(delta: Delta, key: ObjectKey, text: string): void {
  delta.removals.delete(keyText(key));
  delta.puts.set(keyText(key), `{"resource":"${key.resource}","object":${text}}`);
}

function remove(delta: Delta, key: ObjectKey, text: string | undefined): void {
  delta.puts.delete(keyText(key));
  const uid = text === undefined ? '' : (JSON.parse(text) as Pod).metadata.uid;
  const { namespace, name } = key;
  delta.removals.set(keyText(key), { resource: key.resource as LinkedResource, namespace, name, uid });
}

/** Of a node, other minions need where it is and what it is called; images, conditions and capacity are nothing to them. */
function peerText(text: string): string {
  const { apiVersion, kind, metadata, spec, status } = JSON.parse(text) as Node;
  const { managedFields: _, ...kept } = metadata;
  return JSON.stringify({ apiVersion, kind, metadata: kept, spec, status: { addresses: status?.addresses ?? [] } });
}

/** The same, without what changes at every write: equal digests need no delta. */
function peerDigest(text: string): string {
  const { metadata, spec, status } = JSON.parse(text) as Node;
  const { uid, labels, annotations } = metadata;
  return JSON.stringify([uid, labels, annotations, spec.podCIDR, status?.addresses]);
}

/**
 * What was last told of each node, to hold back changes that concern nobody (conditions, images). A memory that may be
 * lost: then one needless delta is sent.
 */
export class PeerMemory {
  private readonly digests = new Map<string, string>();

  isNews(change: Change): boolean {
    if (change.type === 'DELETED') return this.digests.delete(change.name) || true;
    const digest = peerDigest(change.text);
    if (this.digests.get(change.name) === digest) return false;
    this.digests.set(change.name, digest);
    return true;
  }
}

/** Everything for one minion. */
export function snapshot(reader: Reader, node: string): Delta {
  const delta = emptyDelta();
  const used = new Set<string>();
  for (const pod of all(reader, 'pods', [onNode(node)])) {
    put(delta, pod, pod.text);
    const entries = PODS_DEFINITION.entries?.(JSON.parse(pod.text) as Pod);
    for (const reference of referencesOf(entries)) used.add(`${pod.namespace}/${reference}`);
  }
  for (const path of used) putReference(reader, delta, path);
  for (const resource of SHARED) {
    for (const stored of all(reader, resource)) {
      put(delta, stored, resource === 'nodes' ? peerText(stored.text) : stored.text);
    }
  }
  return delta;
}

/** The part of `changes` that is the same for every minion. */
export function sharedChanges(changes: Iterable<Change>, memory?: PeerMemory): Delta {
  const delta = emptyDelta();
  for (const change of changes) {
    if (!isShared(change.resource)) continue;
    if (change.type === 'DELETED') {
      if (change.resource === 'nodes') memory?.isNews(change);
      remove(delta, change, change.text);
    } else if (change.resource !== 'nodes') {
      put(delta, change, change.text);
    } else if (memory?.isNews(change) ?? true) {
      put(delta, change, peerText(change.text));
    }
  }
  return delta;
}

/** The part of `changes` that only this minion is told: its pods, and what they refer to. */
export function ownChanges(reader: Reader, node: string, changes: Iterable<Change>): Delta {
  const delta = emptyDelta();
  const here = onNode(node);
  /** `namespace/configmaps/name` of what pods began to use, and of what some pod may have stopped using. */
  const wanted = new Set<string>();
  const doubtful = new Set<string>();
  for (const change of changes) {
    if (change.resource === 'pods') {
      const was = has(change.previousEntries, here) || (change.type === 'DELETED' && has(change.entries, here));
      const is = change.type !== 'DELETED' && has(change.entries, here);
      if (is) put(delta, change, change.text);
      else if (was) remove(delta, change, change.text);
      else continue;
      const before = was ? [...referencesOf(change.previousEntries), ...referencesOf(change.entries)] : [];
      for (const each of before) if (!is) doubtful.add(`${change.namespace}/${each}`);
      if (is) for (const each of referencesOf(change.entries)) wanted.add(`${change.namespace}/${each}`);
    } else if (isReference(change.resource)) {
      const path = `${change.namespace}/${change.resource}/${change.name}`;
      if (change.type === 'DELETED') {
        if (isUsed(reader, here, path)) remove(delta, change, change.text);
      } else if (isUsed(reader, here, path)) wanted.add(path);
    }
  }
  for (const path of new Set([...wanted, ...doubtful])) {
    // As it is now: one batch may bring a pod and take it away again.
    if (isUsed(reader, here, path)) {
      if (wanted.has(path)) putReference(reader, delta, path);
    } else if (doubtful.has(path)) {
      const key = keyOfPath(path);
      remove(delta, key, reader.get(key)?.text);
    }
  }
  return delta;
}

/** Of one delta, that messages with earlier numbers came before on its socket. */
export interface Heading {
  revision: number;
  full: boolean;
  firstNumber: number;
}

/** The messages of one delta, each of a bounded length. */
export function* deltaMessages({ revision, full, firstNumber }: Heading, deltas: readonly Delta[]): Generator<string> {
  let number = firstNumber;
  let puts: string[] = [];
  let characters = 0;
  const message = (removals: readonly Removal[], more: boolean) =>
    `{"type":"delta","revision":${revision},"number":${number++}` +
    `${full ? ',"full":true' : ''}${more ? ',"more":true' : ''}` +
    `,"puts":[${puts.join(',')}],"removals":${JSON.stringify(removals)}}`;
  for (const delta of deltas) {
    for (const text of delta.puts.values()) {
      if (characters > 0 && characters + text.length > MAX_MESSAGE_CHARACTERS) {
        yield message([], true);
        puts = [];
        characters = 0;
      }
      puts.push(text);
      characters += text.length;
    }
  }
  yield message(
    deltas.flatMap((delta) => [...delta.removals.values()]),
    false,
  );
}

function keyOfPath(path: string): ObjectKey {
  const [namespace = '', resource = '', name = ''] = path.split('/');
  return { resource, namespace, name };
}

function isUsed(reader: Reader, here: IndexEntry, path: string): boolean {
  const { namespace, resource, name } = keyOfPath(path);
  const having = [here, { index: 'uses', value: `${resource}/${name}` }];
  return reader.count({ resource: 'pods', namespace, having }) > 0;
}

/** A pod may name what does not exist (yet): then there is nothing to tell. */
function putReference(reader: Reader, delta: Delta, path: string): void {
  const key = keyOfPath(path);
  const stored = reader.get(key);
  if (stored !== undefined) put(delta, key, stored.text);
}

function* all(reader: Reader, resource: string, having: readonly IndexEntry[] = []) {
  let after: { namespace: string; name: string } | undefined;
  for (;;) {
    const page = [...reader.list({ resource, having, after, limit: PAGE }).items];
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1);
  }
}
