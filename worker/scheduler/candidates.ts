/**
 * The minions to choose from, with what is already asked of each. This is the only file that knows how the sums are had:
 * read through the index when first needed, node by node, and kept until something on that node changes.
 *
 * Nothing is loaded to begin with, and nothing is lost with the object: what is kept here is a copy of sums that can be
 * read again at any time. It is dropped by `invalidate…`, called for every change inside the transaction that makes it,
 * and altogether by `forget` when a scheduling attempt is rolled back (it may have read what then never was).
 */
import { NODES, type Node, PODS, type Pod } from '../../shared/api/core.ts';
import { type Amounts, amountsOf, isTerminal, isTerminating } from '../../shared/pods.ts';
import type { ObjectChange, Objects } from '../registry/objects.ts';
import type { Candidate, PlacedPod } from './plugin.ts';
import { addAmounts, hostPortsOf, podRequests } from './requests.ts';

export interface Candidates {
  /** Every node; the order is that of their names. */
  all(objects: Objects): Candidate[];
  invalidateNode(change: ObjectChange<Node>): void;
  invalidatePod(change: ObjectChange<Pod>): void;
  forget(): void;
}

interface Load {
  requested: Amounts;
  hostPorts: Set<string>;
  siblings: Map<string, number>;
  choosy: PlacedPod[];
  /** Kept once somebody has asked for them. */
  pods: PlacedPod[] | undefined;
}

export function createCandidates(): Candidates {
  let nodes: Map<string, { node: Node; allocatable: Amounts }> | undefined;
  const loads = new Map<string, Load>();

  function nodesOf(objects: Objects) {
    nodes ??= new Map(objects.list(NODES).map((node) => [node.metadata.name, entryOf(node)]));
    return nodes;
  }

  function loadOf(objects: Objects, name: string): Load {
    const known = loads.get(name);
    if (known !== undefined) return known;
    const load = sumUp(podsOn(objects, name));
    loads.set(name, load);
    return load;
  }

  function candidateOf(objects: Objects, entry: { node: Node; allocatable: Amounts }): Candidate {
    const load = loadOf(objects, entry.node.metadata.name);
    return {
      ...entry,
      requested: load.requested,
      hostPorts: load.hostPorts,
      siblings: load.siblings,
      choosy: load.choosy,
      get pods() {
        load.pods ??= podsOn(objects, entry.node.metadata.name).filter(weighs).map(placed);
        return load.pods;
      },
    };
  }

  return {
    all: (objects) => [...nodesOf(objects).values()].map((entry) => candidateOf(objects, entry)),
    invalidateNode: () => {
      nodes = undefined;
    },
    invalidatePod: ({ type, object, previous }) => {
      if (type === 'MODIFIED' && previous !== undefined && weighsTheSame(object, previous)) return;
      for (const pod of [object, previous]) loads.delete(pod?.spec.nodeName ?? '');
    },
    forget: () => {
      nodes = undefined;
      loads.clear();
    },
  };
}

const podsOn = (objects: Objects, node: string): Pod[] =>
  objects.list(PODS, { having: [{ index: 'field:spec.nodeName', value: node }] });

const placed = ({ metadata, spec }: Pod): PlacedPod => ({ metadata, spec: { containers: [], ...affinityOf(spec) } });

const affinityOf = ({ affinity }: Pod['spec']) => (affinity === undefined ? {} : { affinity });

const isChoosy = ({ spec }: Pod): boolean =>
  spec.affinity?.podAntiAffinity !== undefined || spec.affinity?.podAffinity !== undefined;

const entryOf = (node: Node) => ({ node, allocatable: amountsOf(node.status?.allocatable) });

/** Upstream's scheduler no longer counts a pod that has ended, but does count one that is still ending. */
export const weighs = (pod: Pod): boolean => !isTerminal(pod);

const weighsTheSame = (pod: Pod, previous: Pod): boolean =>
  pod.spec.nodeName === previous.spec.nodeName &&
  weighs(pod) === weighs(previous) &&
  JSON.stringify(pod.metadata.labels) === JSON.stringify(previous.metadata.labels) &&
  // Requests change only with the spec (in-place resize), and then the generation grows.
  pod.metadata.generation === previous.metadata.generation;

function sumUp(pods: readonly Pod[]): Load {
  const load: Load = { requested: {}, hostPorts: new Set(), siblings: new Map(), choosy: [], pods: undefined };
  for (const pod of pods.filter(weighs)) {
    addAmounts(load.requested, podRequests(pod));
    if (isChoosy(pod)) load.choosy.push(placed(pod));
    for (const port of hostPortsOf(pod)) load.hostPorts.add(port);
    const controller = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
    if (controller !== undefined && !isTerminating(pod)) {
      load.siblings.set(controller.uid, (load.siblings.get(controller.uid) ?? 0) + 1);
    }
  }
  return load;
}
