/**
 * A client that watches and resumes, as an informer does: it holds its position, comes back after every cut, and lists anew
 * only when it is told 410. What it was told is kept, to be judged by the chronicle.
 */
import { type ApiClient, ApiError } from '../../agent/cli/api-client.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import { eventually } from '../support/eventually.ts';
import type { Segment, Told } from './chronicle.ts';

export interface Kept extends KubeObject {
  data?: Record<string, string>;
}

export const toldOf = (type: string, { metadata, data }: Kept): Told => ({
  type,
  revision: Number(metadata.resourceVersion),
  name: metadata.name,
  value: data?.value ?? '',
});

const CUT = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** Whether a call ended because the other end died, is not there yet, or says that it cannot now. */
export function isCut(error: unknown): boolean {
  if (error instanceof ApiError) return error.status >= 500 || error.status === 429;
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && CUT.has(code)) || message === 'aborted' || message === 'socket hang up';
}

/** Asks again until the control plane answers. */
export const answered = <T>(what: string, call: () => Promise<T>): Promise<T> =>
  eventually(what, async () => {
    try {
      return { value: await call() };
    } catch (error) {
      if (isCut(error)) return undefined;
      throw new Error(`${what} failed`, { cause: error });
    }
  }).then(({ value }) => value);

export class Follower {
  readonly segments: Segment[] = [];
  /** How often it was told 410 and listed anew. */
  expired = 0;
  reconnects = 0;
  /** The first error that was no cut. */
  failure: unknown;
  readonly #client: ApiClient;
  readonly #path: string;
  readonly #selector: string;
  readonly #tell: typeof toldOf;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  /**
   * @param selector what else the watch is asked with.
   * @param tell what is kept of an event.
   */
  constructor(client: ApiClient, path: string, selector = '', tell: typeof toldOf = toldOf) {
    this.#client = client;
    this.#path = path;
    this.#selector = selector;
    this.#tell = tell;
  }

  get position(): number {
    const segment = this.segments.at(-1);
    return segment?.events.at(-1)?.revision ?? segment?.from ?? 0;
  }

  get told(): number {
    return this.segments.reduce((sum, { events }) => sum + events.length, 0);
  }

  start(from: number): void {
    this.segments.push({ from, events: [] });
    this.#running = this.#follow().catch((error: unknown) => {
      this.failure = error;
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.failure !== undefined) throw new Error('a follower failed', { cause: this.failure });
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (!(await this.#watchOnce(signal))) await this.#listAnew();
      } catch (error) {
        if (signal.aborted) return;
        if (!isCut(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      this.reconnects += 1;
    }
  }

  /** @returns false when the position is too old. */
  async #watchOnce(signal: AbortSignal): Promise<boolean> {
    const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${this.position}&${this.#selector}`;
    for await (const { type, object } of this.#client.watch<Kept>(`${this.#path}?${query}`, signal)) {
      if (type === 'ERROR') {
        const { code } = object as unknown as { code: number };
        if (code !== 410) throw new Error(`the watch was told ${JSON.stringify(object)}`);
        return false;
      }
      const told = this.#tell(type, object);
      if (type === 'BOOKMARK') {
        if (told.revision < this.position) throw new Error(`a bookmark went back to ${told.revision}`);
      } else this.segments.at(-1)?.events.push(told);
    }
    return true;
  }

  async #listAnew(): Promise<void> {
    const list = await answered('a list', () =>
      this.#client.json<{ metadata: { resourceVersion: string } }>('GET', `${this.#path}?limit=1`),
    );
    this.expired += 1;
    this.segments.push({ from: Number(list.metadata.resourceVersion), events: [] });
  }
}
