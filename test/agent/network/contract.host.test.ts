/** The real pod network keeps what the kubelet relies on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { podNetworkContract } from '../../contracts/pod-network.ts';
import { createTestNetwork, type TestHost, type TestNetwork } from '../../support/hosts.ts';
import { type PodHost, startPodHost } from '../../support/pod-host.ts';

let directory: string;
let lab: TestNetwork;
let host: TestHost;
let pods: PodHost;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'longshore-network-'));
  lab = await createTestNetwork();
  host = await lab.host('one');
  pods = await startPodHost(host, '10.244.1.0/24', directory);
});

afterAll(async () => {
  await pods?.close();
  await lab?.dispose();
  await rm(directory, { recursive: true, force: true });
});

podNetworkContract(() => ({ network: pods.overlay, sandbox: () => host.sandbox() }));
