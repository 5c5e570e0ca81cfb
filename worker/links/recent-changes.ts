/**
 * Which of the changes since some revision concern one minion, for many minions that ask at once: a thousand that were cut off
 * together all resume, and history is read once for all of them, not once for each. Kept are revisions, not texts. A memory
 * that may be lost at any time: then history is read once more. What the changes mean is `deltas.ts`.
 */
import type { Change, Reader } from '../store/store.ts';
import { isReference, isShared } from './deltas.ts';

const NODE_NAME = 'field:spec.nodeName';

export class RecentChanges {
  readonly #reader: Reader;
  #epoch: string | undefined;
  /** Everything after `#from`, up to and including `#to`, is in here. */
  #from = 0;
  #to = 0;
  /** Every change of a pod, by the node that it is on. */
  readonly #pods = new Map<string, number[]>();
  /** The newest change of each object that any minion may have to be told of. */
  readonly #others = new Map<string, number>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /**
   * In order: each change of this node's pods, and the newest of each object that is shared or may be used by a pod.
   * `revision` must not be compacted.
   */
  since(revision: number, node: string): Change[] {
    this.#cover(revision);
    const revisions = [...(this.#pods.get(node) ?? []), ...this.#others.values()].filter((each) => each > revision);
    return revisions.sort((a, b) => a - b).map((each) => this.#read(each));
  }

  #cover(revision: number): void {
    const { epoch, compactedRevision } = this.#reader;
    const now = this.#reader.revision;
    if (epoch !== this.#epoch || revision < this.#from || this.#from < compactedRevision || this.#to > now) {
      this.#epoch = epoch;
      // Twice as far back as is asked: in a wave the next one asks for a little more.
      this.#from = Math.max(compactedRevision, revision - (now - revision));
      this.#to = this.#from;
      this.#pods.clear();
      this.#others.clear();
    }
    for (const change of this.#reader.changesSince(this.#to)) this.#note(change);
    this.#to = now;
  }

  #note(change: Change): void {
    const { resource, namespace, name, revision } = change;
    if (resource === 'pods') {
      const nodes = [...change.entries, ...(change.previousEntries ?? [])].filter(({ index }) => index === NODE_NAME);
      for (const node of new Set(nodes.map(({ value }) => value))) {
        const known = this.#pods.get(node);
        if (known === undefined) this.#pods.set(node, [revision]);
        else known.push(revision);
      }
    } else if (isShared(resource) || isReference(resource))
      this.#others.set(`${resource} ${namespace}/${name}`, revision);
  }

  #read(revision: number): Change {
    const change = this.#reader.changeAt(revision);
    if (change !== undefined) return change;
    throw new Error(`revision ${revision} is missing from the log`);
  }
}
