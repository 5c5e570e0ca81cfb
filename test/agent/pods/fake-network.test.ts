/** The kubelet's tests attach pods to a double; it keeps what the real network keeps. */
import { podNetworkContract } from '../../contracts/pod-network.ts';
import { FakeNetwork } from '../../support/fake-network.ts';

const network = new FakeNetwork();
let pid = 1000;
podNetworkContract(() => ({ network, sandbox: async () => pid++ }));
