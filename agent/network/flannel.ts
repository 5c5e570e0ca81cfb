/**
 * The pod network in flannel's form, kept with `ip`, `bridge` and `nft`. What the kernel should look like is decided in
 * `peers.ts`, `firewall.ts` and `links.ts` (pure); which pod has which address in `address-pool.ts`; this class looks,
 * compares and performs, one change at a time, except that pods are attached in parallel.
 */
import type { Node } from '../../shared/api/core.ts';
import { AddressPool, type HostPort, type Lease } from './address-pool.ts';
import { parseCidr, parseIPv4 } from './addresses.ts';
import { CommandError, type Exec } from './commands.ts';
import { forwardRulesOf, networkTableOf, removeTable } from './firewall.ts';
import {
  type ObservedLink,
  planAttach,
  planLinks,
  planPodEnd,
  planSysctls,
  type Underlay,
  VXLAN_OVERHEAD_BYTES,
} from './links.ts';
import { type NetworkNames, networkNamesOf, vethNameOf, vtepMacOf } from './names.ts';
import type { NetworkSettings, PodAttachment, PodNetwork } from './network.ts';
import { annotationsOf, type ObservedPeers, peersOf, planPeers } from './peers.ts';

export interface FlannelOptions {
  instance: string;
  /** Where the addresses in use are kept. */
  stateDir: string;
  exec: Exec;
  log: (message: string) => void;
}

interface Started {
  settings: NetworkSettings;
  mtu: number;
  vtepMac: string;
}

export class FlannelNetwork implements PodNetwork {
  readonly #names: NetworkNames;
  readonly #exec: Exec;
  readonly #log: (message: string) => void;
  readonly #pool: AddressPool;
  /** Pids whose namespace this process has connected: nothing to look up for them. */
  readonly #connected = new Map<string, number>();
  #started: Started | undefined;
  /** The peers that the kernel was last brought to, as text: nothing to do when they come again. */
  #appliedPeers: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: FlannelOptions) {
    this.#names = networkNamesOf(options.instance);
    this.#exec = options.exec;
    this.#log = options.log;
    this.#pool = new AddressPool(options.stateDir);
  }

  start(settings: NetworkSettings): Promise<void> {
    return this.#oneAtATime(async () => {
      parseCidr(settings.podCIDR);
      parseIPv4(settings.publicIP);
      this.#pool.setSubnet(settings.nodeCIDR);
      this.#appliedPeers = undefined;
      const links = await this.#links();
      const underlay = await this.#underlay(settings.publicIP, links);
      const vtepMac = vtepMacOf(settings.publicIP, settings.nodeCIDR);
      const pods = [...this.#pool.leases().keys()].map(vethNameOf);
      const lines = planLinks({ names: this.#names, settings, underlay, vtepMac, links, pods });
      if (lines.length > 0) await this.#exec('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
      await this.#exec('sh', ['-c', planSysctls(this.#names)]);
      this.#started = { settings, mtu: underlay.mtu - VXLAN_OVERHEAD_BYTES, vtepMac };
      await this.#applyFirewall();
      await this.#openForward();
    });
  }

  annotations(): Record<string, string> {
    const { settings, vtepMac } = this.#running();
    return annotationsOf(settings.publicIP, vtepMac);
  }

  setPeers(nodes: readonly Node[]): Promise<void> {
    return this.#oneAtATime(async () => {
      const desired = peersOf(nodes, this.#running().settings);
      const text = JSON.stringify(desired);
      if (text === this.#appliedPeers) return;
      this.#appliedPeers = undefined;
      const device = this.#names.vxlan;
      const plan = planPeers(desired, await this.#observePeers(), device);
      if (plan.bridge.length > 0) await this.#exec('bridge', ['-batch', '-'], `${plan.bridge.join('\n')}\n`);
      if (plan.ip.length > 0) await this.#exec('ip', ['-batch', '-'], `${plan.ip.join('\n')}\n`);
      this.#appliedPeers = text;
    });
  }

  async attach(pod: { uid: string; pid: number; hostPorts: HostPort[] }): Promise<PodAttachment> {
    const { mtu } = this.#running();
    const known = this.#pool.get(pod.uid);
    const hostPortsBefore = JSON.stringify(known?.hostPorts ?? []);
    let lease = this.#pool.acquire(pod.uid, pod.hostPorts);
    if (this.#connected.get(pod.uid) !== pod.pid) {
      // A pod that is new to us needs no questions asked; any other may be connected already, or have a stale veth.
      if (known === undefined) {
        try {
          await this.#connect(pod, lease, mtu);
        } catch (error) {
          this.#log(`connecting pod ${pod.uid} again, after: ${String(error)}`);
          lease = await this.#mend(pod, lease, mtu);
        }
      } else {
        lease = await this.#mend(pod, lease, mtu);
      }
      this.#pool.connected(pod.uid);
      this.#connected.set(pod.uid, pod.pid);
    }
    if (JSON.stringify(lease.hostPorts) !== hostPortsBefore) await this.#oneAtATime(() => this.#applyFirewall());
    return this.#pool.attachmentOf(lease);
  }

  async detach(podUid: string): Promise<void> {
    const lease = this.#pool.get(podUid);
    if (lease === undefined) return;
    await this.#deleteVeth(podUid);
    this.#connected.delete(podUid);
    this.#pool.release(podUid);
    if (lease.hostPorts.length > 0) await this.#oneAtATime(() => this.#applyFirewall());
  }

  attachments(): ReadonlyMap<string, PodAttachment> {
    if (this.#started === undefined) return new Map();
    const connected = [...this.#pool.leases()].filter(([, lease]) => lease.connected);
    return new Map(connected.map(([uid, lease]) => [uid, this.#pool.attachmentOf(lease)]));
  }

  purge(): Promise<void> {
    return this.#oneAtATime(async () => {
      const links = await this.#links();
      const ours = links.filter(
        (link) =>
          link.ifname === this.#names.bridge || link.ifname === this.#names.vxlan || link.master === this.#names.bridge,
      );
      const lines = ours.map((link) => `link del ${link.ifname}`);
      if (lines.length > 0) await this.#exec('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
      await this.#exec('nft', ['-f', '-'], removeTable(this.#names.table));
      await this.#closeForward();
      this.#pool.clear();
      this.#connected.clear();
      this.#started = undefined;
      this.#appliedPeers = undefined;
    });
  }

  /** Lets go of the state file; the network stays as it is. */
  close(): void {
    this.#pool.close();
  }

  #running(): Started {
    if (this.#started === undefined) throw new Error('the pod network has not been started');
    return this.#started;
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #links(): Promise<ObservedLink[]> {
    return JSON.parse(await this.#exec('ip', ['-d', '-j', 'addr', 'show'])) as ObservedLink[];
  }

  /** The interface that has the public address; behind a NAT that would be none of ours: then the way to the outside. */
  async #underlay(publicIP: string, links: ObservedLink[]): Promise<Underlay> {
    const holder = links.find((link) => link.addr_info?.some((address) => address.local === publicIP));
    if (holder !== undefined) return { device: holder.ifname, local: publicIP, mtu: holder.mtu };
    const routes = JSON.parse(await this.#exec('ip', ['-j', 'route', 'show', 'default'])) as { dev?: string }[];
    const outward = links.find((link) => link.ifname === routes[0]?.dev);
    if (outward === undefined) throw new Error(`no interface has ${publicIP}, and there is no default route`);
    return { device: outward.ifname, mtu: outward.mtu };
  }

  async #observePeers(): Promise<ObservedPeers> {
    const device = this.#names.vxlan;
    const [routes, neighbours, forwarding] = await Promise.all([
      this.#exec('ip', ['-j', 'route', 'show', 'dev', device]),
      this.#exec('ip', ['-j', 'neigh', 'show', 'dev', device]),
      this.#exec('bridge', ['-j', 'fdb', 'show', 'dev', device]),
    ]);
    return { routes: listIn(routes), neighbours: listIn(neighbours), forwarding: listIn(forwarding) };
  }

  async #connect(pod: { uid: string; pid: number }, lease: Lease, mtu: number): Promise<void> {
    const attachment = this.#pool.attachmentOf(lease);
    const plan = planAttach({ bridge: this.#names.bridge, veth: vethNameOf(pod.uid), pid: pod.pid, mtu, attachment });
    await this.#exec('ip', ['-batch', '-'], `${plan.join('\n')}\n`);
    const inside = planPodEnd(attachment, parseCidr(this.#running().settings.nodeCIDR).prefix);
    await this.#inPod(pod.pid, 'ip', ['-batch', '-'], `${inside.join('\n')}\n`);
  }

  /** Keeps a connection that is whole (its address is what the pod goes by), else makes it anew. */
  async #mend(pod: { uid: string; pid: number; hostPorts: HostPort[] }, lease: Lease, mtu: number): Promise<Lease> {
    const inside = JSON.parse(await this.#inPod(pod.pid, 'ip', ['-j', 'addr', 'show'])) as ObservedLink[];
    const found = inside
      .find((link) => link.ifname === 'eth0')
      ?.addr_info?.find((each) => each.family === 'inet')?.local;
    if (found === lease.ip) return lease;
    if (found !== undefined && this.#pool.owns(found)) return this.#pool.claim(pod.uid, found, pod.hostPorts);
    await this.#deleteVeth(pod.uid);
    await this.#connect(pod, lease, mtu);
    return lease;
  }

  #inPod(pid: number, file: string, args: string[], input?: string): Promise<string> {
    return this.#exec('nsenter', [`--net=/proc/${pid}/ns/net`, file, ...args], input);
  }

  /** The kernel removes it by itself when the pod's namespace ends, which may be before or after. */
  async #deleteVeth(podUid: string): Promise<void> {
    try {
      await this.#exec('ip', ['link', 'del', vethNameOf(podUid)]);
    } catch (error) {
      if (!(error instanceof CommandError && error.stderr.includes('Cannot find device'))) throw error;
    }
  }

  async #applyFirewall(): Promise<void> {
    const { nodeCIDR, podCIDR } = this.#running().settings;
    const leases = [...this.#pool.leases().values()];
    await this.#exec('nft', ['-f', '-'], networkTableOf({ names: this.#names, nodeCIDR, podCIDR, leases }));
  }

  async #openForward(): Promise<void> {
    const present = await this.#forwardChain();
    if (!present.includes('-P FORWARD DROP')) return;
    for (const rule of forwardRulesOf(this.#names)) {
      if (!hasRule(present, rule)) await this.#exec('iptables', ['-w', '-I', ...rule]);
    }
  }

  async #closeForward(): Promise<void> {
    const present = await this.#forwardChain();
    for (const rule of forwardRulesOf(this.#names)) {
      if (hasRule(present, rule)) await this.#exec('iptables', ['-w', '-D', ...rule]);
    }
  }

  /** '' where there is no iptables: then nobody can have set its policy. */
  async #forwardChain(): Promise<string> {
    try {
      return await this.#exec('iptables', ['-w', '-S', 'FORWARD']);
    } catch (error) {
      const absent = error instanceof CommandError && /not installed|No such file or directory/.test(error.stderr);
      if (!absent) throw error;
      return '';
    }
  }
}

/** `ip -j` and `bridge -j` print nothing at all for an empty list. */
const listIn = <T>(json: string): T[] => (json.trim() === '' ? [] : (JSON.parse(json) as T[]));

const hasRule = (listing: string, [, direction, device]: string[]): boolean =>
  listing.split('\n').some((line) => line.includes(`${direction} ${device} `) && line.endsWith('-j ACCEPT'));
