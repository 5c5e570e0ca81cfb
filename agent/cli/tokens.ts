/**
 * Tokens minted offline, with the Worker's own code, from the root secret on this machine's disk. What they open is said
 * in `worker/http/tokens.ts`.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { DEFAULTS } from '../../shared/defaults.ts';
import { adminClaims, joinClaims, minionClaims, mintToken, type TokenClaims } from '../../worker/http/tokens.ts';
import type { Layout } from './control-plane/layout.ts';

function mint(layout: Layout, claims: TokenClaims): Promise<string> {
  if (!existsSync(layout.rootSecret)) {
    throw new Error(
      `there is no control plane in ${layout.dataDir}: start one with \`npm start\`, or name its folder with --data-dir`,
    );
  }
  return mintToken(readFileSync(layout.rootSecret, 'utf8'), claims, Date.now());
}

export const adminToken = (layout: Layout) => mint(layout, adminClaims(DEFAULTS.clusterName));

/** For one node on one machine. */
export const minionToken = (layout: Layout, node: string, machineId: string) =>
  mint(layout, minionClaims(DEFAULTS.clusterName, node, machineId));

/** Lets machines join until it expires. */
export const joinToken = (layout: Layout, lifetimeSeconds?: number) =>
  mint(layout, joinClaims(DEFAULTS.clusterName, randomBytes(3).toString('hex'), lifetimeSeconds));
