/** A pod network that only hands out addresses: for tests of the kubelet, whose sandboxes then stay unconnected. */
import type { PodAttachment, PodNetwork } from '../../agent/network/network.ts';

export class FakeNetwork implements PodNetwork {
  /** While set, attach fails with it. */
  failure: string | undefined;
  readonly hostPorts = new Map<string, Parameters<PodNetwork['attach']>[0]['hostPorts']>();
  readonly #attachments = new Map<string, PodAttachment>();
  #next = 2;

  async start(): Promise<void> {}

  annotations(): Record<string, string> {
    return {};
  }

  async setPeers(): Promise<void> {}

  async attach({ uid, hostPorts }: Parameters<PodNetwork['attach']>[0]): Promise<PodAttachment> {
    if (this.failure !== undefined) throw new Error(this.failure);
    const known = this.#attachments.get(uid);
    if (known !== undefined) return known;
    const number = this.#next++;
    const mac = `0a:58:0a:f4:00:${number.toString(16).padStart(2, '0')}`;
    const attachment = { ip: `10.244.0.${number}`, gateway: '10.244.0.1', mac };
    this.#attachments.set(uid, attachment);
    this.hostPorts.set(uid, hostPorts);
    return attachment;
  }

  async detach(podUid: string): Promise<void> {
    this.#attachments.delete(podUid);
  }

  attachments(): ReadonlyMap<string, PodAttachment> {
    return this.#attachments;
  }

  async purge(): Promise<void> {
    this.#attachments.clear();
  }
}
