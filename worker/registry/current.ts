/** An object as a read finds it, parsed. */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { IndexEntry, StoredObject } from '../store/store.ts';

/** What is stored, in the version of the definition that it was read by. */
export interface Current {
  object: KubeObject;
  revision: number;
  text: string;
  /** As it lies in the store, where that is in another version, or not as its version has it now. */
  stored?: string;
  /** What it can be found by, where that is at hand. */
  entries?: readonly IndexEntry[];
}

export const parseStored = (stored: StoredObject): Current => ({
  object: JSON.parse(stored.text) as KubeObject,
  revision: stored.revision,
  text: stored.text,
});
