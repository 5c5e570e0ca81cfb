/**
 * Keeps one nftables table at what the newest routes say. The first call replaces whatever an earlier agent left, in one
 * transaction, so that no packet meets a gap; later calls send only what changed. Clients' affinity is carried over.
 */
import { createHash } from 'node:crypto';
import { type AffinityEntry, affinityIn, restoreAffinity, staleAffinity } from './affinity.ts';
import type { ProxySettings, ServiceProxy, ServiceRoute } from './proxy.ts';
import { skeletonOf } from './skeleton.ts';
import { contentsOf, difference, emptyContents, PROTOCOLS, type TableContents } from './table.ts';
import { type LostFlow, lostFlows } from './udp-flows.ts';

/** Resolves with standard output; rejects with what the program said. */
type Exec = (file: string, args: readonly string[], input?: string) => Promise<string>;

export interface NftablesOptions {
  instance: string;
  exec: Exec;
  log: (message: string) => void;
}

export class NftablesProxy implements ServiceProxy {
  readonly #table: string;
  readonly #exec: Exec;
  readonly #log: (message: string) => void;
  #settings: ProxySettings | undefined;
  /** What the kernel holds; undefined: not known, the whole table has to be sent. */
  #current: TableContents | undefined;
  #wanted: readonly ServiceRoute[] | undefined;
  #running: Promise<void> | undefined;
  #conntrack = true;

  constructor({ instance, exec, log }: NftablesOptions) {
    const mark = createHash('sha256').update(instance).digest('hex').slice(0, 6);
    this.#table = instance === 'longshore' ? 'longshore_proxy' : `longshore_proxy_${mark}`;
    this.#exec = exec;
    this.#log = log;
  }

  /** Changes nothing in the kernel: the routes of an earlier agent stay in force until the first `apply`. */
  async start(settings: ProxySettings): Promise<void> {
    if (JSON.stringify(settings) !== JSON.stringify(this.#settings)) this.#current = undefined;
    this.#settings = settings;
  }

  apply(routes: readonly ServiceRoute[]): Promise<void> {
    this.#wanted = routes;
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async purge(): Promise<void> {
    this.#wanted = undefined;
    // What went wrong with it is told to whoever asked for it.
    await this.#running?.catch((error: unknown) => this.#log(`removing Services after: ${String(error)}`));
    this.#current = undefined;
    await this.#nft(`add table ip ${this.#table}\ndelete table ip ${this.#table}\n`);
  }

  async #drain(): Promise<void> {
    for (let routes = this.#wanted; routes !== undefined; routes = this.#wanted) {
      this.#wanted = undefined;
      await this.#bring(routes);
    }
  }

  async #bring(routes: readonly ServiceRoute[]): Promise<void> {
    const settings = this.#settings;
    if (settings === undefined) throw new Error('the service proxy has not been started');
    const before = this.#current;
    if (before === undefined) return this.#replace(routes, settings);
    const after = contentsOf(routes, settings.podCIDR, before);
    for (const [name, rules] of before.chains) after.chains.set(name, rules);
    const script = difference(this.#table, before, after);
    if (script === '') return;
    try {
      await this.#nft(script);
    } catch (error) {
      // Someone else has changed or removed the table (`nft flush ruleset`): only the whole of it helps.
      this.#log(`sending every Service again, after: ${String(error)}`);
      return this.#replace(routes, settings);
    }
    this.#current = after;
    await this.#forgetLost(before, after);
  }

  async #replace(routes: readonly ServiceRoute[], settings: ProxySettings): Promise<void> {
    this.#current = undefined;
    const remembered = await this.#affinity();
    const contents = contentsOf(routes, settings.podCIDR, emptyContents());
    const script =
      skeletonOf(this.#table, settings) +
      difference(this.#table, emptyContents(), contents) +
      restoreAffinity(this.#table, contents, remembered);
    await this.#nft(script);
    this.#current = contents;
  }

  /** Endpoints that went away: clients that stuck to them choose anew, and so do UDP flows, which never end by themselves. */
  async #forgetLost(before: TableContents, after: TableContents): Promise<void> {
    const sticky = [...after.elements.keys()].some((map) => map.includes('sticky_'));
    if (sticky && lostSlots(before, after)) {
      for (const command of staleAffinity(this.#table, after, await this.#affinity())) {
        // An entry may expire at any moment, and one that is gone would fail a common transaction.
        await this.#nft(command).catch((error: unknown) => this.#log(`forgetting a client: ${String(error)}`));
      }
    }
    for (const flow of lostFlows(before, after)) await this.#endFlow(flow);
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

const lostSlots = (before: TableContents, after: TableContents): boolean =>
  [...before.slots].some(([group, slots]) => {
    const now = after.slots.get(group);
    return now === undefined || slots.some((endpoint) => !now.includes(endpoint));
  });
