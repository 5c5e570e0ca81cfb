/**
 * PUT and GET of a ConfigMap of 1 kB through the whole API at 16 connections, against a bare object's put and get of the
 * same bytes; rounds of both take turns, and medians are compared.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { PROJECT } from '../../agent/cli/control-plane/control-plane.ts';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import { readCompatibility } from '../../agent/cli/control-plane/workerd-config.ts';
import { startControlPlane } from '../support/longshore.ts';
import { startBareObject } from './bare-object.ts';
import { type Call, type LoadResult, load, median } from './load.ts';
import { type BenchRow, milliseconds, perSecond } from './row.ts';

const CONNECTIONS = 16;
const REQUESTS = 1500;
const ROUNDS = 5;
const PATH = '/api/v1/namespaces/default/configmaps';
const PAYLOAD = 'x'.repeat(800);

const configMap = (name: string, index: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { index: String(index), payload: PAYLOAD },
  });

export async function throughput(): Promise<BenchRow[]> {
  const controlPlane = await startControlPlane();
  const layout = layoutOf(controlPlane.dataDir);
  const bare = await startBareObject({
    workerd: join(PROJECT, 'node_modules/.bin/workerd'),
    key: layout.serverKey,
    certificate: layout.serverCertificate,
    compatibilityDate: readCompatibility(readFileSync(join(PROJECT, 'wrangler.toml'), 'utf8')).date,
  });
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, ca: controlPlane.ca });
  const headers = { authorization: `Bearer ${controlPlane.adminToken}`, 'content-type': 'application/json' };
  let sequence = 0;
  const run = (url: string, make: (index: number) => Call) =>
    load({ url, agent, connections: CONNECTIONS, requests: REQUESTS, headers, make });
  const name = (index: number) => `bench-${index % CONNECTIONS}`;
  try {
    for (let index = 0; index < CONNECTIONS; index++) {
      const created = await controlPlane.api('POST', PATH, JSON.parse(configMap(name(index), 0)));
      if (created.status !== 201) throw new Error(`creating ${name(index)}: ${JSON.stringify(created)}`);
    }
    const results: Record<'put' | 'barePut' | 'get' | 'bareGet', LoadResult[]> = {
      put: [],
      barePut: [],
      get: [],
      bareGet: [],
    };
    for (let round = 0; round < ROUNDS; round++) {
      results.put.push(
        await run(controlPlane.url, (index) => ({
          method: 'PUT',
          path: `${PATH}/${name(index)}`,
          body: configMap(name(index), sequence++),
        })),
      );
      results.barePut.push(
        await run(bare.url, (index) => ({
          method: 'PUT',
          path: `/${name(index)}`,
          body: configMap(name(index), sequence++),
        })),
      );
      results.get.push(await run(controlPlane.url, (index) => ({ method: 'GET', path: `${PATH}/${name(index)}` })));
      results.bareGet.push(await run(bare.url, (index) => ({ method: 'GET', path: `/${name(index)}` })));
    }
    for (const [what, rounds] of Object.entries(results)) {
      const failed = rounds.flatMap((round) => Object.entries(round.codes)).filter(([code]) => code !== '200');
      if (failed.length > 0) throw new Error(`${what}: answers other than 200: ${JSON.stringify(failed)}`);
    }
    return [
      compare(`PUT of 1 kB, ${CONNECTIONS} connections`, results.put, results.barePut),
      compare(`GET of 1 kB, ${CONNECTIONS} connections`, results.get, results.bareGet),
    ];
  } finally {
    agent.destroy();
    await bare.stop();
    await controlPlane.dispose();
  }
}

function compare(what: string, ours: LoadResult[], baseline: LoadResult[]): BenchRow {
  const rate = (results: LoadResult[]) => median(results.map((result) => result.perSecond));
  const p99 = (results: LoadResult[]) => median(results.map((result) => result.p99Ms));
  const describe = (results: LoadResult[]) => `${perSecond(rate(results))}, p99 ${milliseconds(p99(results))}`;
  return {
    what,
    ours: describe(ours),
    baseline: `bare object: ${describe(baseline)}`,
    ratio: rate(ours) / rate(baseline),
  };
}
