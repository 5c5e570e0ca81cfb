/** ConfigMaps of about 1 kB, which the measurements of the API write and read: the same bytes go to each baseline. */
import type { Agent } from 'node:https';
import { type Call, type LoadResult, load, requireAll } from './load.ts';
import type { Pair } from './pair.ts';

export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PAYLOAD = 'x'.repeat(800);

export const configMap = (name: string, mark: number): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { mark: String(mark), payload: PAYLOAD },
  });

/** So many objects that no two connections write the same one. */
export const nameOf = (index: number, connections: number) => `bench-${index % connections}`;

export async function makeConfigMaps(pair: Pair, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const { status } = await pair.controlPlane.api('POST', CONFIG_MAPS, JSON.parse(configMap(`bench-${index}`, 0)));
    if (status !== 201) throw new Error(`creating bench-${index}: ${status}`);
  }
}

export interface Side {
  /** `ours`: the API; `bare`: the bare object, whose keys are the names. */
  of: 'ours' | 'bare';
  agent: Agent;
  connections: number;
  requests: number;
  make(index: number): Call;
  code?: number;
}

/** @throws when an answer has another code than 200, or the one that was given. */
export async function loadSide(pair: Pair, side: Side): Promise<LoadResult> {
  const { url } = side.of === 'ours' ? pair.controlPlane : pair.bare;
  const result = await load({ ...side, url, headers: pair.headers });
  requireAll(`requests to ${url}`, result, side.code ?? 200);
  return result;
}
