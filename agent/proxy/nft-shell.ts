/**
 * Sends changes through one long-lived nft. It has no exit code for a line, and silence proves nothing, so each change leaves a
 * receipt: a number in a set of the table, put there by the same transaction. nft is then asked for that set, and only the
 * kernel's answer counts. Whatever else happens is a failure, after which the caller makes the whole table anew.
 */
import { randomInt } from 'node:crypto';
import { InteractiveNft, type Spawn } from './interactive-nft.ts';
import { RECEIPTS } from './skeleton.ts';

/** nft reads what it is asked byte by byte: beyond this a process that gets it at once is faster. */
const LONGEST_BYTES = 8192;

export interface NftShellOptions {
  table: string;
  spawn: Spawn;
  log: (message: string) => void;
  /** How long an answer may take. */
  patienceMs?: number;
  /** After as much a new process takes over: nft remembers each line, and searches what it remembers at the next. */
  renewAfterBytes?: number;
}

/** So often in a row may nft be started in vain before that is no longer tried. */
const MOST_ATTEMPTS = 3;

export class NftShell {
  readonly #options: NftShellOptions;
  readonly #patienceMs: number;
  readonly #renewAfterBytes: number;
  /**
   * Never used twice, not even by the agent's next process: a change whose nft was given up on, and that reaches the kernel when
   * the table is another, fails because the receipt before it is not there.
   */
  #receipt = randomInt(2 ** 31);
  #nft: InteractiveNft | undefined;
  #opening: InteractiveNft | undefined;
  #attempts = 0;

  constructor(options: NftShellOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? 10_000;
    this.#renewAfterBytes = options.renewAfterBytes ?? 256 * 1024;
  }

  /** Belongs into every script that makes the table. */
  firstReceipt(): string {
    this.#receipt += 1;
    return `add element ip ${this.#options.table} ${RECEIPTS} { ${this.#receipt} }\n`;
  }

  /** Once the table is there. Starts an nft where there is none, in the background. */
  open(): void {
    if (this.#nft?.isAlive || this.#opening !== undefined || this.#attempts >= MOST_ATTEMPTS) return;
    const nft = new InteractiveNft(this.#options.spawn, this.#patienceMs);
    this.#opening = nft;
    const receipt = this.#receipt;
    const settle = (settled: () => void) => {
      if (this.#opening !== nft) return;
      this.#opening = undefined;
      settled();
    };
    this.#prove(nft, []).then(
      () =>
        settle(() => {
          this.#attempts = 0;
          this.#nft = nft;
        }),
      (error: unknown) => {
        nft.close();
        settle(() => {
          // The table was made anew meanwhile, which says nothing about nft.
          if (receipt !== this.#receipt) return;
          this.#attempts += 1;
          const last = this.#attempts < MOST_ATTEMPTS ? '' : ', so each change will start one';
          this.#options.log(`no nft can be kept running${last}: ${String(error)}`);
        });
      },
    );
  }

  /**
   * One transaction.
   * @returns false: it was not sent, and has to go another way
   * @throws when the kernel may not have it
   */
  async run(script: string): Promise<boolean> {
    const nft = this.#nft;
    if (!nft?.isAlive || script.length > LONGEST_BYTES) {
      this.open();
      return false;
    }
    const { table } = this.#options;
    const before = this.#receipt;
    this.#receipt += 1;
    const line = [
      ...script.trim().split('\n'),
      `add element ip ${table} ${RECEIPTS} { ${this.#receipt} }`,
      `delete element ip ${table} ${RECEIPTS} { ${before} }`,
    ].join('; ');
    await this.#prove(nft, [line]);
    if (nft.written >= this.#renewAfterBytes) this.#renew();
    return true;
  }

  /** Until it is opened again. */
  close(): void {
    this.#nft?.close();
    this.#opening?.close();
    this.#nft = undefined;
    this.#opening = undefined;
  }

  #renew(): void {
    this.#nft?.close();
    this.#nft = undefined;
    this.open();
  }

  /** @throws unless the kernel holds the newest receipt after these lines */
  async #prove(nft: InteractiveNft, lines: readonly string[]): Promise<void> {
    const receipt = this.#receipt;
    const question = `list set ip ${this.#options.table} ${RECEIPTS}`;
    const output = await nft.ask([...lines, question], (text) => isListing(text) || isRefusal(text, question));
    if (receiptIn(output) !== receipt) throw new Error(`nft did not do it: ${output.trim()}`);
  }
}

/** A table is listed to its last brace. */
const isListing = (output: string): boolean => output.endsWith('\n}\n');

/** What nft refuses it quotes, with a mark below where it stopped. */
function isRefusal(output: string, question: string): boolean {
  const at = output.lastIndexOf(`\n${question}\n`);
  return at >= 0 && /\^[^\n]*\n$/.test(output.slice(at));
}

function receiptIn(output: string): number | undefined {
  const [, number] = /\bset receipts \{[^{}]*\belements = \{ (0x[0-9a-f]+) \}/.exec(output) ?? [];
  return number === undefined ? undefined : Number(number);
}
