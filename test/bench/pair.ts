/** The control plane and a bare object beside it, with the same TLS, for measurements that compare the two. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { readCompatibility } from '../../agent/cli/control-plane/workerd-config.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';
import { type BareObject, startBareObject } from './bare-object.ts';
import { underProfile } from './profile.ts';

export interface Pair {
  controlPlane: ControlPlane;
  bare: BareObject;
  /** Of the admin; the bare object ignores them. */
  headers: Record<string, string>;
  /** Kept-alive connections to either, at most so many to each. */
  agent(connections: number): Agent;
  dispose(): Promise<void>;
}

export async function startPair(): Promise<Pair> {
  const controlPlane = await startControlPlane();
  const layout = layoutOf(controlPlane.dataDir);
  const agents: Agent[] = [];
  try {
    const endProfile = await underProfile(controlPlane);
    const bare = await startBareObject({
      workerd: join(PROJECT, 'node_modules/.bin/workerd'),
      key: layout.serverKey,
      certificate: layout.serverCertificate,
      compatibilityDate: readCompatibility(readFileSync(join(PROJECT, 'wrangler.toml'), 'utf8')).date,
    });
    return {
      controlPlane,
      bare,
      headers: { authorization: `Bearer ${controlPlane.adminToken}`, 'content-type': 'application/json' },
      agent: (connections) => {
        const agent = new Agent({ keepAlive: true, maxSockets: connections, ca: controlPlane.ca });
        agents.push(agent);
        return agent;
      },
      dispose: async () => {
        for (const agent of agents) agent.destroy();
        await bare.stop();
        await endProfile();
        await controlPlane.dispose();
      },
    };
  } catch (error) {
    await controlPlane.dispose();
    throw error;
  }
}
