/**
 * The minions to choose from, with what is already asked of each. This is the only file that knows how the sums are had:
 * read through the index when first needed, node by node, kept, and carried on by the changes that come after.
 *
 * Nothing is loaded to begin with, and nothing is lost with the object: what is kept here is a copy of sums that can be read
 * again at any time.
 *
 * Invariants
 * - `pod…` and `nodeChanged` are called for every change, inside the transaction that makes it; `committed` or `rolledBack`
 *   when it has ended. A savepoint that is rolled back counts as rolled back, which costs reading again and nothing else.
 * - Until then, what the transaction touched is remembered, and forgotten when it did not come to be.
 */
import { NODES, type Node, PODS, type Pod } from '../../shared/api/core.ts';
import { type Amounts, amountsOf, countsTheSame, isTerminal, isTerminating } from '../../shared/pods.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import { REPELS, repels } from '../resources/pods.ts';
import type { Candidate, PlacedPod, Repelling, SeenNode } from './plugin.ts';
import { addAmounts, hostPortsOf, podRequests } from './requests.ts';

export interface Candidates {
  /** Every node, in no order that means something. Holds as long as the transaction of these objects. */
  all(objects: Objects): readonly Candidate[];
  /** The pods that keep others away, wherever they are. */
  repelling(objects: Objects): readonly Repelling[];
  nodeChanged(change: ObjectChange<Node>): void;
  podChanged(change: ObjectChange<Pod>): void;
  committed(): void;
  rolledBack(): void;
}

type Seen = Pick<Candidate, 'node' | 'allocatable' | 'images'>;

interface Load {
  requested: Amounts;
  hostPorts: Set<string>;
  siblings: Map<string, number>;
  /** Kept once somebody has asked for them. */
  pods: PlacedPod[] | undefined;
}

/** One minion: what is seen of it, and its sums once they were asked for. */
class Minion implements Candidate {
  readonly node: SeenNode;
  readonly allocatable: Readonly<Amounts>;
  readonly images: ReadonlyMap<string, number>;
  load: Load | undefined;
  readonly #podsOn: (name: string) => Pod[];

  constructor({ node, allocatable, images }: Seen, podsOn: (name: string) => Pod[]) {
    this.node = node;
    this.allocatable = allocatable;
    this.images = images;
    this.#podsOn = podsOn;
  }

  get requested() {
    return this.#sums().requested;
  }
  get hostPorts() {
    return this.#sums().hostPorts;
  }
  get siblings() {
    return this.#sums().siblings;
  }
  get pods() {
    const sums = this.#sums();
    sums.pods ??= this.#podsOn(this.node.metadata.name).map(placed);
    return sums.pods;
  }

  #sums(): Load {
    if (this.load === undefined) {
      this.load = { requested: {}, hostPorts: new Set(), siblings: new Map(), pods: undefined };
      for (const pod of this.#podsOn(this.node.metadata.name)) addPod(this.load, pod);
    }
    return this.load;
  }
}

export function createCandidates(): Candidates {
  let minions: Map<string, Minion> | undefined;
  let listed: readonly Minion[] | undefined;
  /** By uid. */
  let repelling: Map<string, { nodeName: string; pod: PlacedPod }> | undefined;
  const touched = { nodes: false, repelling: false, loads: new Set<string>() };
  /** Whom to read from: those of the transaction that looks. */
  let reader: Objects;
  const podsOn = (name: string) =>
    reader.list(PODS, { having: [{ index: 'field:spec.nodeName', value: name }] }).filter(weighs);

  function known(objects: Objects): Map<string, Minion> {
    reader = objects;
    minions ??= new Map(objects.list(NODES).map((node) => [node.metadata.name, new Minion(seenOf(node), podsOn)]));
    return minions;
  }

  function follow({ type, object: pod, previous }: ObjectChange<Pod>): void {
    if (!repels(pod) && !(previous !== undefined && repels(previous))) return;
    touched.repelling = true;
    const { nodeName = '' } = pod.spec;
    if (type !== 'DELETED' && nodeName !== '' && repels(pod) && weighs(pod)) {
      repelling?.set(pod.metadata.uid, { nodeName, pod: placed(pod) });
    } else {
      repelling?.delete(pod.metadata.uid);
    }
  }

  return {
    all(objects) {
      listed ??= [...known(objects).values()];
      reader = objects;
      return listed;
    },
    repelling(objects) {
      repelling ??= new Map(
        objects
          .list(PODS, { having: [REPELS] })
          .filter((pod) => (pod.spec.nodeName ?? '') !== '' && weighs(pod))
          .map((pod) => [pod.metadata.uid, { nodeName: pod.spec.nodeName ?? '', pod: placed(pod) }]),
      );
      const nodes = known(objects);
      return [...repelling.values()].flatMap(({ nodeName, pod }) => {
        const node = nodes.get(nodeName)?.node;
        return node === undefined ? [] : [{ node, pod }];
      });
    },
    nodeChanged({ type, object }) {
      const { name } = object.metadata;
      const before = minions?.get(name);
      listed = undefined;
      touched.nodes = true;
      if (type === 'DELETED') {
        minions?.delete(name);
        return;
      }
      const minion = new Minion(seenOf(object), podsOn);
      minion.load = before?.load;
      minions?.set(name, minion);
    },
    podChanged(change) {
      const { type, object, previous } = change;
      if (type === 'MODIFIED' && previous !== undefined && weighsTheSame(object, previous)) return;
      follow(change);
      const [before, after] = [previous?.spec.nodeName ?? '', object.spec.nodeName ?? ''];
      for (const name of new Set([before, after])) {
        const minion = minions?.get(name);
        if (minion === undefined) continue;
        touched.loads.add(name);
        // What comes is added; what goes is rarer, and read again.
        if (minion.load !== undefined && before === '' && type !== 'DELETED') addPod(minion.load, object);
        else minion.load = undefined;
      }
    },
    committed() {
      touched.nodes = false;
      touched.repelling = false;
      touched.loads.clear();
    },
    rolledBack() {
      if (touched.nodes) {
        minions = undefined;
        listed = undefined;
      }
      if (touched.repelling) repelling = undefined;
      for (const name of touched.loads) {
        const minion = minions?.get(name);
        if (minion !== undefined) minion.load = undefined;
      }
    },
  };
}

/** What rules read of a node. Names of images are shared among nodes: there are thousands of nodes and few images. */
export function seenOf({ metadata, spec, status }: Node): Seen {
  const { taints, unschedulable } = spec;
  const images = new Map<string, number>();
  for (const { names, sizeBytes = 0 } of status?.images ?? [])
    for (const name of names ?? []) images.set(shared(name), sizeBytes);
  return {
    node: {
      metadata: { name: metadata.name, ...(metadata.labels && { labels: metadata.labels }) },
      spec: { ...(taints && { taints }), ...(unschedulable === undefined ? {} : { unschedulable }) },
    },
    allocatable: amountsOf(status?.allocatable),
    images: images.size === 0 ? NO_IMAGES : images,
  };
}

const NO_IMAGES: ReadonlyMap<string, number> = new Map();
const IMAGE_NAMES = new Map<string, string>();
/** A bound, should a cluster see ever new images for months. */
const MOST_IMAGE_NAMES = 10_000;

function shared(name: string): string {
  const known = IMAGE_NAMES.get(name);
  if (known !== undefined) return known;
  if (IMAGE_NAMES.size >= MOST_IMAGE_NAMES) IMAGE_NAMES.clear();
  IMAGE_NAMES.set(name, name);
  return name;
}

/** Upstream's scheduler no longer counts a pod that has ended, but does count one that is still ending. */
export const weighs = (pod: Pod): boolean => !isTerminal(pod);

function placed({ metadata, spec }: Pod): PlacedPod {
  const { namespace, labels, deletionTimestamp } = metadata;
  return {
    metadata: {
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(deletionTimestamp && { deletionTimestamp }),
    },
    spec: spec.affinity === undefined ? {} : { affinity: spec.affinity },
  };
}

const weighsTheSame = (pod: Pod, previous: Pod): boolean =>
  pod.spec.nodeName === previous.spec.nodeName &&
  weighs(pod) === weighs(previous) &&
  JSON.stringify(pod.metadata.labels) === JSON.stringify(previous.metadata.labels) &&
  // Requests change with the spec, and then the generation grows; or with what a resize comes to.
  pod.metadata.generation === previous.metadata.generation &&
  countsTheSame(pod, previous);

function addPod(load: Load, pod: Pod): void {
  if (!weighs(pod)) return;
  addAmounts(load.requested, podRequests(pod));
  load.pods?.push(placed(pod));
  for (const port of hostPortsOf(pod)) load.hostPorts.add(port);
  const controller = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (controller === undefined || isTerminating(pod)) return;
  load.siblings.set(controller.uid, (load.siblings.get(controller.uid) ?? 0) + 1);
}
