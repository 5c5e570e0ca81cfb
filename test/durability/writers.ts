/**
 * Clients that create, replace, delete and read config maps, each its own few names, and remember what was acknowledged.
 * A call that was cut leaves its name unknown: it is read before it is written again.
 */
import { type ApiClient, ApiError } from '../../agent/cli/api-client.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import type { Acknowledged } from './chronicle.ts';
import { isCut, type Kept } from './follower.ts';

const NAMES_PER_WRITER = 20;

/** Of one name, as its only writer knows it; `unknown` after a call that was cut. */
type Known = { revision: number; value: string } | 'absent' | 'unknown';

export interface Ledger {
  acknowledged: Acknowledged[];
  /** Writes that were cut: they may have been committed. */
  unanswered: Acknowledged[];
  reads: number;
  violations: string[];
}

export const newLedger = (): Ledger => ({ acknowledged: [], unanswered: [], reads: 0, violations: [] });

export class Writer {
  readonly #client: ApiClient;
  readonly #path: string;
  readonly #random: SeededRandom;
  readonly #ledger: Ledger;
  readonly #id: string;
  readonly #known = new Map<string, Known>();
  #count = 0;

  constructor(client: ApiClient, path: string, id: string, random: SeededRandom, ledger: Ledger) {
    this.#client = client;
    this.#path = path;
    this.#id = id;
    this.#random = random;
    this.#ledger = ledger;
  }

  /** One call after the other until told to stop, or until one is cut. @throws when one fails for another reason. */
  async run(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      try {
        await this.#step();
      } catch (error) {
        if (isCut(error)) return;
        throw error;
      }
    }
  }

  async #step(): Promise<void> {
    const name = `${this.#id}-${this.#random.below(NAMES_PER_WRITER)}`;
    const known = this.#known.get(name) ?? 'absent';
    if (known === 'unknown' || this.#random.chance(0.05)) return this.#read(name, known);
    if (known !== 'absent' && this.#random.chance(0.1)) return this.#delete(name, known.value);
    await this.#put(name, known);
  }

  async #put(name: string, known: { revision: number } | 'absent'): Promise<void> {
    this.#count += 1;
    const write: Acknowledged = { type: 'put', name, value: `${this.#id}.${this.#count}` };
    const metadata = { name, ...(known === 'absent' ? {} : { resourceVersion: String(known.revision) }) };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: write.value } };
    const stored = await this.#write(write, () =>
      known === 'absent'
        ? this.#client.json<Kept>('POST', this.#path, object)
        : this.#client.json<Kept>('PUT', `${this.#path}/${name}`, object),
    );
    const revision = Number(stored.metadata.resourceVersion);
    this.#ledger.acknowledged.push({ ...write, revision });
    this.#known.set(name, { revision, value: write.value });
  }

  async #delete(name: string, value: string): Promise<void> {
    const write: Acknowledged = { type: 'delete', name, value };
    await this.#write(write, () => this.#client.json('DELETE', `${this.#path}/${name}`));
    this.#ledger.acknowledged.push(write);
    this.#known.set(name, 'absent');
  }

  async #write<T>(write: Acknowledged, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (isCut(error)) {
        this.#known.set(write.name, 'unknown');
        this.#ledger.unanswered.push(write);
      }
      throw error;
    }
  }

  /** A writer reads what it wrote, or, after a cut, finds out what became of it. */
  async #read(name: string, known: Known): Promise<void> {
    const found = await this.#stored(name);
    this.#ledger.reads += 1;
    if (known !== 'unknown') {
      const [want, got] = [known === 'absent' ? 0 : known.revision, found === 'absent' ? 0 : found.revision];
      if (want !== got) this.#ledger.violations.push(`${name} was left at revision ${want} and read at ${got}`);
    }
    this.#known.set(name, found);
  }

  async #stored(name: string): Promise<Exclude<Known, 'unknown'>> {
    try {
      const { metadata, data } = await this.#client.json<Kept>('GET', `${this.#path}/${name}`);
      return { revision: Number(metadata.resourceVersion), value: data?.value ?? '' };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return 'absent';
      throw error;
    }
  }
}
