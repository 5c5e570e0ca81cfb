/**
 * The state of a large cluster, written into the Cluster object's database while workerd is down: through the store, with
 * the entries that the registry gives, but without controllers, which would find work for an hour in so many new objects.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { layoutOf } from '../../agent/cli/control-plane/layout.ts';
import type { Node, Pod } from '../../shared/api/core.ts';
import { groupResourceOf, type KubeObject } from '../../shared/api/meta.ts';
import { entriesOf } from '../../worker/registry/entries.ts';
import { catalogOf } from '../../worker/resources/catalog.ts';
import { SqliteStore } from '../../worker/store/sqlite-store.ts';
import type { Transaction } from '../../worker/store/store.ts';
import { node, running } from '../support/builders.ts';
import type { ControlPlane } from '../support/longshore.ts';
import { nodeSql } from '../support/node-sql.ts';

export interface Size {
  nodes: number;
  pods: number;
}

const PODS_PATH = '/api/v1/namespaces/default/pods';
const OBJECTS_OF_ONE_COMMIT = 5000;

/** Leaves workerd ended. Pods are spread evenly and run; nodes are Ready. */
export async function fillCluster(controlPlane: ControlPlane, { nodes, pods }: Size): Promise<void> {
  const like = await podOfTheApi(controlPlane);
  await controlPlane.kill('SIGTERM');
  const sql = nodeSql(databaseOf(controlPlane));
  try {
    const store = new SqliteStore(sql, { clock: Date.now, newEpoch: () => crypto.randomUUID() });
    inCommits(store, nodes, (transaction, index) => put(transaction, 'nodes', nodeAt(index)));
    inCommits(store, pods, (transaction, index) => put(transaction, 'pods', podAt(like, index, nodes)));
  } finally {
    sql.close();
  }
}

export const podName = (index: number): string => `pod-${String(index).padStart(6, '0')}`;

/** With all that the API adds: defaults, its token's volume, managed fields. */
async function podOfTheApi({ api }: ControlPlane): Promise<Pod> {
  const { status, body } = await api('POST', PODS_PATH, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'like-all', labels: { app: 'bench', tier: 'web' } },
    spec: {
      nodeName: 'somewhere',
      containers: [{ name: 'main', image: 'nginx:1', resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
    },
  });
  if (status !== 201) throw new Error(`creating a pod: ${status} ${JSON.stringify(body)}`);
  await api('DELETE', `${PODS_PATH}/like-all`, { gracePeriodSeconds: 0 });
  return body as Pod;
}

function databaseOf({ dataDir }: ControlPlane): string {
  const folder = join(layoutOf(dataDir).objects, 'longshore-cluster');
  const [file, ...others] = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  if (file === undefined || others.length > 0) throw new Error(`${folder} does not hold exactly one cluster`);
  return join(folder, file);
}

function inCommits(store: SqliteStore, count: number, each: (transaction: Transaction, index: number) => void): void {
  for (let from = 0; from < count; from += OBJECTS_OF_ONE_COMMIT) {
    store.transact((transaction) => {
      for (let index = from; index < Math.min(count, from + OBJECTS_OF_ONE_COMMIT); index++) each(transaction, index);
    });
  }
}

const CATALOG = catalogOf();

function put(transaction: Transaction, resource: string, object: KubeObject): void {
  const definition = CATALOG.findGroupResource(resource);
  if (definition === undefined) throw new Error(`${resource} is not served`);
  const { namespace = '', name } = object.metadata;
  transaction.put(
    { resource: groupResourceOf(definition.identity), namespace, name },
    entriesOf(definition, object),
    (revision) => JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }),
  );
}

/** As large as a minion's, images included. */
function nodeAt(index: number): Node {
  const name = `node-${index}`;
  const made = node(name);
  const { namespace: _, ...metadata } = made.metadata;
  const images = Array.from({ length: 10 }, (_each, image) => ({
    names: [`registry.example/team/image-${image}:1.${image}`],
    sizeBytes: 50_000_000 + image,
  }));
  const podCIDR = `10.${Math.floor(index / 256)}.${index % 256}.0/24`;
  return {
    ...made,
    metadata: { ...metadata, uid: `node-uid-${index}` },
    spec: { ...made.spec, podCIDR, podCIDRs: [podCIDR] },
    status: { ...made.status, images } as NonNullable<Node['status']>,
  };
}

function podAt(like: Pod, index: number, nodes: number): Pod {
  const address = `10.${Math.floor(index / 65_536)}.${Math.floor(index / 256) % 256}.${index % 256}`;
  return {
    ...like,
    metadata: { ...like.metadata, name: podName(index), uid: `pod-uid-${index}` },
    spec: { ...like.spec, nodeName: `node-${index % nodes}` },
    status: { ...like.status, ...running(address) },
  };
}
