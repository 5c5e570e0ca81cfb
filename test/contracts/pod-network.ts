/** What the kubelet relies on of a PodNetwork, run against the double (test/agent/pods) and the real one (*.host.test.ts). */
import { describe, expect, test } from 'vitest';
import type { PodNetwork } from '../../agent/network/network.ts';

export interface NetworkUnderTest {
  /** Started. */
  network: PodNetwork;
  /** A process in a network namespace of its own. */
  sandbox(): Promise<number>;
}

let count = 0;

export function podNetworkContract(given: () => NetworkUnderTest): void {
  describe('a pod network', () => {
    const pod = async (uid = `contract-${count++}`) => ({ uid, pid: await given().sandbox(), hostPorts: [] });

    test('gives every pod an address of its own, and remembers it', async () => {
      const { network } = given();
      const [one, two] = [await pod(), await pod()];
      const first = await network.attach(one);
      const second = await network.attach(two);
      expect(first).toEqual({
        ip: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
        gateway: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
        mac: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      });
      expect(second.ip).not.toBe(first.ip);
      expect([network.attachments().get(one.uid), network.attachments().get(two.uid)]).toEqual([first, second]);
      await network.detach(one.uid);
      await network.detach(two.uid);
    });

    test('gives a pod that is attached again the address that it has', async () => {
      const { network } = given();
      const one = await pod();
      const first = await network.attach(one);
      expect(await network.attach(one)).toEqual(first);
      await network.detach(one.uid);
    });

    test('forgets a pod that is detached; one that is not there is fine', async () => {
      const { network } = given();
      const one = await pod();
      await network.attach(one);
      await network.detach(one.uid);
      expect(network.attachments().has(one.uid)).toBe(false);
      await network.detach(one.uid);
    });
  });
}
