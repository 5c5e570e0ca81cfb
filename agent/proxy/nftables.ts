/**
 * Keeps one nftables table at what the newest routes say. The first call replaces whatever an earlier agent left, in one
 * transaction, so that no packet meets a gap; later calls send only what changed, through an nft that is kept running for them.
 * Clients' affinity is carried over.
 */
import { createHash } from 'node:crypto';
import { type AffinityEntry, affinityIn, restoreAffinity, staleAffinity } from './affinity.ts';
import type { Spawn } from './interactive-nft.ts';
import { NftShell } from './nft-shell.ts';
import type { ProxySettings, ServiceProxy, ServiceRoute } from './proxy.ts';
import { skeletonOf } from './skeleton.ts';
import { type MovedSlots, PROTOCOLS, ServiceTable } from './table.ts';
import { type LostFlow, lostFlows } from './udp-flows.ts';

/** Resolves with standard output; rejects with what the program said. */
type Exec = (file: string, args: readonly string[], input?: string) => Promise<string>;

export interface NftablesOptions {
  instance: string;
  exec: Exec;
  /** Without it each change starts an nft of its own. */
  spawn?: Spawn;
  log: (message: string) => void;
}

export class NftablesProxy implements ServiceProxy {
  readonly #table: string;
  readonly #exec: Exec;
  readonly #log: (message: string) => void;
  readonly #shell: NftShell | undefined;
  #settings: ProxySettings | undefined;
  /** What is wanted; undefined until all of it is known. */
  #contents: ServiceTable | undefined;
  /** Whether the kernel holds what was last taken of the contents: else the whole table has to be sent. */
  #isKnown = false;
  #isWanted = false;
  #running: Promise<void> | undefined;
  #conntrack = true;

  constructor({ instance, exec, spawn, log }: NftablesOptions) {
    const mark = createHash('sha256').update(instance).digest('hex').slice(0, 6);
    this.#table = instance === 'longshore' ? 'longshore_proxy' : `longshore_proxy_${mark}`;
    this.#exec = exec;
    this.#log = log;
    this.#shell = spawn && new NftShell({ table: this.#table, spawn, log });
  }

  /** Changes nothing in the kernel: the routes of an earlier agent stay in force until the first `apply`. */
  async start(settings: ProxySettings): Promise<void> {
    if (JSON.stringify(settings) !== JSON.stringify(this.#settings)) this.#contents = undefined;
    this.#settings = settings;
  }

  async apply(routes: readonly ServiceRoute[]): Promise<void> {
    if (this.#settings === undefined) throw new Error('the service proxy has not been started');
    if (this.#contents === undefined) this.#isKnown = false;
    this.#contents ??= new ServiceTable(this.#settings.podCIDR);
    const byService = Map.groupBy(routes, ({ service }) => service);
    for (const service of [...this.#contents.services]) if (!byService.has(service)) this.#contents.set(service, []);
    return this.change(byService);
  }

  async change(changed: ReadonlyMap<string, readonly ServiceRoute[]>): Promise<void> {
    if (this.#contents === undefined) throw new Error('the service proxy does not know its Services yet');
    for (const [service, routes] of changed) this.#contents.set(service, routes);
    this.#isWanted = true;
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async purge(): Promise<void> {
    this.#isWanted = false;
    // What went wrong with it is told to whoever asked for it.
    await this.#running?.catch((error: unknown) => this.#log(`removing Services after: ${String(error)}`));
    this.#contents = undefined;
    this.#shell?.close();
    await this.#nft(`add table ip ${this.#table}\ndelete table ip ${this.#table}\n`);
  }

  /** Once nothing more will be asked of it. What the kernel holds stays in force. */
  async close(): Promise<void> {
    await this.#running?.catch((error: unknown) => this.#log(`the last change of Services: ${String(error)}`));
    this.#shell?.close();
  }

  async #drain(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      const [settings, contents] = [this.#settings, this.#contents];
      if (settings !== undefined && contents !== undefined) await this.#bring(contents, settings);
    }
  }

  async #bring(contents: ServiceTable, settings: ProxySettings): Promise<void> {
    if (!this.#isKnown) return this.#replace(contents, settings);
    const { script, moved } = contents.take(this.#table);
    if (script === '') return;
    try {
      if (!(await this.#shell?.run(script))) await this.#nft(script);
    } catch (error) {
      // Someone else has changed or removed the table (`nft flush ruleset`): only the whole of it helps.
      this.#log(`sending every Service again, after: ${String(error)}`);
      return this.#replace(contents, settings);
    }
    await this.#forgetLost(contents, moved);
  }

  async #replace(contents: ServiceTable, settings: ProxySettings): Promise<void> {
    this.#isKnown = false;
    const remembered = await this.#affinity();
    const script =
      skeletonOf(this.#table, settings) +
      contents.takeWhole(this.#table) +
      restoreAffinity(this.#table, contents.slots, remembered) +
      (this.#shell?.firstReceipt() ?? '');
    await this.#nft(script);
    this.#isKnown = true;
    this.#shell?.open();
  }

  /** Endpoints that went away: clients that stuck to them choose anew, and so do UDP flows, which never end by themselves. */
  async #forgetLost(contents: ServiceTable, moved: readonly MovedSlots[]): Promise<void> {
    const sticky = [...contents.elements.keys()].some((map) => map.includes('sticky_'));
    if (sticky && moved.some(isLoss)) {
      for (const command of staleAffinity(this.#table, contents.slots, await this.#affinity())) {
        // An entry may expire at any moment, and one that is gone would fail a common transaction.
        await this.#nft(command).catch((error: unknown) => this.#log(`forgetting a client: ${String(error)}`));
      }
    }
    for (const flow of lostFlows(moved)) await this.#endFlow(flow);
  }

  async #endFlow(flow: LostFlow): Promise<void> {
    if (!this.#conntrack) return;
    try {
      await this.#exec('conntrack', ['-D', '-p', 'udp', ...flow]);
    } catch (error) {
      const text = String(error);
      if (text.includes('0 flow entries')) return;
      this.#conntrack = !/not installed|No such file or directory/.test(text);
      this.#log(
        this.#conntrack
          ? `ending UDP flows: ${text}`
          : 'no conntrack program: UDP flows to endpoints that went away time out by themselves',
      );
    }
  }

  /** None when there is no table yet. */
  async #affinity(): Promise<AffinityEntry[]> {
    const tables = await this.#exec('nft', ['-j', 'list', 'tables']);
    if (!tables.includes(`"${this.#table}"`)) return [];
    const entries: AffinityEntry[] = [];
    for (const protocol of PROTOCOLS) {
      const map = `affinity_${protocol}`;
      entries.push(...affinityIn(await this.#exec('nft', ['-j', 'list', 'map', 'ip', this.#table, map]), protocol));
    }
    return entries;
  }

  async #nft(script: string): Promise<void> {
    await this.#exec('nft', ['-f', '-'], script);
  }
}

const isLoss = ({ before, now }: MovedSlots): boolean => before.some((endpoint) => !now.includes(endpoint));
