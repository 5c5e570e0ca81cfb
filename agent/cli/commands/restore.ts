/**
 * `longshore restore FILE`, `longshore restore --at TIME`: the cluster as it was. A file is looked at from its beginning to
 * its end before the cluster hears of it; then its lines go up in parts, each again until the cluster has it. Until the
 * last one the cluster is what it was.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { RESTORE_PATH, type Restored, type RestoreProgress } from '../../../shared/backup.ts';
import { type ApiClient, ApiError } from '../api-client.ts';
import { checkLines } from './backup.ts';

export interface RestoreOptions {
  /** The backup may be of another cluster. */
  anyCluster: boolean;
  /** Before a part is sent again. */
  pauseMs?: number;
}

const PART_CHARACTERS = 1024 * 1024;
const TRIES = 8;
const PAUSE_MS = 1000;

async function* linesOf(file: string): AsyncGenerator<string> {
  const source = createReadStream(file);
  const unzipped = source.pipe(createGunzip());
  source.once('error', (error) => unzipped.destroy(error));
  try {
    yield* createInterface({ input: unzipped, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    source.destroy();
    unzipped.destroy();
  }
}

async function check(file: string): Promise<void> {
  try {
    await checkLines(linesOf(file), () => undefined);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // What zlib says of other files, and of the ones that were cut or changed.
    const why = code?.startsWith('Z_') ? `not a backup, or not a whole one (${message})` : message;
    throw new Error(`${file}: ${why}`, { cause: error });
  }
}

export async function restore(client: ApiClient, file: string, options: RestoreOptions): Promise<Restored> {
  await check(file);
  const upload = new Upload(client, options);
  try {
    for await (const line of linesOf(file)) await upload.add(line);
    const restored = await upload.end();
    if (restored !== undefined) return restored;
    throw new Error(`${file} changed while it was read`);
  } catch (error) {
    await upload.giveUp();
    throw error;
  }
}

export const restoreAt = (client: ApiClient, time: string): Promise<Pick<Restored, 'revision' | 'epoch'>> =>
  client.json('POST', `${RESTORE_PATH}?time=${encodeURIComponent(time)}`);

class Upload {
  readonly #client: ApiClient;
  readonly #options: RestoreOptions;
  #id: string | undefined;
  /** Lines that the cluster has. */
  #sent = 0;
  #part: string[] = [];
  #characters = 0;

  constructor(client: ApiClient, options: RestoreOptions) {
    this.#client = client;
    this.#options = options;
  }

  async add(line: string): Promise<void> {
    if (this.#id === undefined) {
      const query = this.#options.anyCluster ? '?anyCluster=true' : '';
      this.#id = (await this.#post<RestoreProgress>(query, [line])).id;
      this.#sent = 1;
      return;
    }
    if (this.#characters + line.length > PART_CHARACTERS) await this.#flush();
    this.#part.push(line);
    this.#characters += line.length;
  }

  end(): Promise<Restored | undefined> {
    return this.#flush();
  }

  /** What is left of it in the cluster. The cluster does so itself, later, when it does not hear this. */
  async giveUp(): Promise<void> {
    if (this.#id !== undefined)
      await this.#client.request('DELETE', `${RESTORE_PATH}?id=${this.#id}`).catch(() => undefined);
  }

  async #flush(): Promise<Restored | undefined> {
    if (this.#part.length === 0) return undefined;
    const answer = await this.#retried(() =>
      this.#post<RestoreProgress | Restored>(`?id=${this.#id}&at=${this.#sent}`, this.#part),
    );
    this.#sent += this.#part.length;
    this.#part = [];
    this.#characters = 0;
    return 'epoch' in answer ? answer : undefined;
  }

  /** The cluster passes over lines that it has: what may have come through is simply sent again. */
  async #retried<T>(call: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await call();
      } catch (error) {
        if (tries === TRIES || (error instanceof ApiError && error.status < 500 && error.status !== 429)) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.#options.pauseMs ?? PAUSE_MS));
      }
    }
  }

  async #post<T>(query: string, lines: readonly string[]): Promise<T> {
    const path = `${RESTORE_PATH}${query}`;
    const body = lines.map((line) => `${line}\n`).join('');
    const answer = await this.#client.request('POST', path, body, { 'content-type': 'text/plain' });
    if (answer.status < 200 || answer.status > 299) throw new ApiError('POST', path, answer);
    return JSON.parse(answer.body.toString('utf8')) as T;
  }
}
