/**
 * How objects lie in the tables, as far as this instance's transactions read or wrote them: spares a write the look at what it
 * replaces. A memory that may be lost at any time, and must be when a transaction rolls back, or somebody else wrote.
 */
import type { ObjectKey } from './store.ts';

export interface KnownObject {
  revision: number;
  /** As the log keeps them. */
  entries: string;
}

/** Their entries are a few hundred bytes each. */
const MOST = 2000;

const idOf = ({ resource, namespace, name }: ObjectKey): string => `${resource}\0${namespace}\0${name}`;

export class KnownObjects {
  readonly #byId = new Map<string, KnownObject | undefined>();
  /** The store's revision when the last transaction had committed. */
  #revision = 0;

  /** A transaction begins at this revision of the store. */
  begin(revision: number): void {
    if (revision !== this.#revision) this.#byId.clear();
  }

  /** It has committed, and left the store at this revision. */
  committed(revision: number): void {
    this.#revision = revision;
  }

  /** A part of it was taken back. */
  forget(): void {
    this.#byId.clear();
  }

  /** @param read when it is not known. Undefined: there is no such object. */
  get(key: ObjectKey, read: () => KnownObject | undefined): KnownObject | undefined {
    const id = idOf(key);
    const known = this.#byId.get(id);
    if (known !== undefined || this.#byId.has(id)) return known;
    const found = read();
    this.set(key, found);
    return found;
  }

  set(key: ObjectKey, object: KnownObject | undefined): void {
    if (this.#byId.size >= MOST) this.#byId.clear();
    this.#byId.set(idOf(key), object);
  }
}
