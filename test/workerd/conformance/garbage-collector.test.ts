/** Kubernetes' conformance tests about owners and what they own, each named after its line. Pods need not run for them. */
import { expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../shared/api/apps.ts';
import type { Pod, ReplicationController } from '../../../shared/api/core.ts';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { eventually } from '../../support/eventually.ts';
import { TestApi } from '../support/api.ts';

const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };
const REPLICAS = 10;

/** A namespace of the test's own, and what it asks about it. */
class Home {
  readonly api = new TestApi('conformance-garbage');
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  async made(): Promise<this> {
    await this.api.json('POST', '/api/v1/namespaces', { body: { metadata: { name: this.name } } });
    return this;
  }

  path(resource: string): string {
    const [name = '', group] = resource.split('.');
    return `${group === undefined ? '/api/v1' : `/apis/${group}/v1`}/namespaces/${this.name}/${name}`;
  }

  async list<T extends KubeObject>(resource: string): Promise<T[]> {
    return (await this.api.json<KubeList<T>>('GET', this.path(resource))).items;
  }

  create<T extends KubeObject>(resource: string, body: object): Promise<T> {
    return this.api.json<T>('POST', this.path(resource), { body });
  }

  remove({ metadata }: KubeObject, resource: string, propagationPolicy: string): Promise<unknown> {
    const body = { propagationPolicy, preconditions: { uid: metadata.uid } };
    return this.api.json('DELETE', `${this.path(resource)}/${metadata.name}`, { body });
  }

  /** Waits for these numbers of objects. */
  holds(counts: Record<string, number>): Promise<boolean> {
    return eventually(`${this.name} holds ${JSON.stringify(counts)}`, async () => {
      for (const [resource, count] of Object.entries(counts)) {
        if ((await this.list(resource)).length !== count) return false;
      }
      return true;
    });
  }

  async controller(name: string, replicas: number, spec: object = {}): Promise<ReplicationController> {
    const labels = { gctest: name };
    const made = await this.create<ReplicationController>('replicationcontrollers', {
      metadata: { name },
      spec: {
        replicas,
        selector: labels,
        template: { metadata: { labels }, spec: { containers: [{ name: 'nginx', image: 'nginx' }], ...spec } },
      },
    });
    await eventually(`${name} has its pods`, async () => {
      const path = `${this.path('replicationcontrollers')}/${name}`;
      return ((await this.api.json<ReplicationController>('GET', path)).status?.replicas ?? 0) === replicas;
    });
    return made;
  }

  async deployment(): Promise<{ deployment: Deployment; replicaSet: ReplicaSet }> {
    const labels = { gctest: this.name };
    const deployment = await this.create<Deployment>('deployments.apps', {
      metadata: { name: 'simpletest.deployment' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'nginx', image: 'nginx' }] } },
      },
    });
    const replicaSet = await eventually('the replica set has its pods', async () => {
      const [found] = await this.list<ReplicaSet>('replicasets.apps');
      return found?.status?.replicas === 2 ? found : undefined;
    });
    return { deployment, replicaSet };
  }
}

/** Pods of this node stay until somebody says that they have ended, for it has no minion. */
async function nodeOf({ api }: Home): Promise<string> {
  await api.json('POST', '/api/v1/nodes', { body: { metadata: { name: 'still' } } });
  return 'still';
}

test('[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning [Conformance]', async () => {
  const home = await new Home('delete-pods').made();
  const controller = await home.controller('simpletest.rc', REPLICAS);
  await home.remove(controller, 'replicationcontrollers', 'Background');
  await home.holds({ replicationcontrollers: 0, pods: 0 });
});

test('[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Conformance]', async () => {
  const home = await new Home('orphan-pods').made();
  const controller = await home.controller('simpletest.rc', REPLICAS);
  await home.remove(controller, 'replicationcontrollers', 'Orphan');
  await home.holds({ replicationcontrollers: 0 });
  // Whatever the collector had to do with it is done when the owner is gone.
  const pods = await home.list<Pod>('pods');
  expect(pods).toHaveLength(REPLICAS);
  for (const { metadata } of pods) {
    expect([metadata.ownerReferences, metadata.deletionTimestamp]).toEqual([undefined, undefined]);
  }
});

test('[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning [Conformance]', async () => {
  const home = await new Home('delete-rs').made();
  const { deployment } = await home.deployment();
  await home.remove(deployment, 'deployments.apps', 'Background');
  await home.holds({ 'deployments.apps': 0, 'replicasets.apps': 0, pods: 0 });
});

test('[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan [Conformance]', async () => {
  const home = await new Home('orphan-rs').made();
  const { deployment, replicaSet } = await home.deployment();
  expect(replicaSet.metadata.ownerReferences).toMatchObject([{ uid: deployment.metadata.uid, controller: true }]);
  await home.remove(deployment, 'deployments.apps', 'Orphan');
  await home.holds({ 'deployments.apps': 0 });
  const left = await home.list<ReplicaSet>('replicasets.apps');
  expect(left.map(({ metadata }) => [metadata.uid, metadata.ownerReferences])).toEqual([
    [replicaSet.metadata.uid, undefined],
  ]);
  expect(await home.list('pods')).toHaveLength(2);
});

test('[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so [Conformance]', async () => {
  const home = await new Home('foreground').made();
  const controller = await home.controller('simpletest.rc', REPLICAS, { nodeName: await nodeOf(home) });
  await home.remove(controller, 'replicationcontrollers', 'Foreground');
  const path = `${home.path('replicationcontrollers')}/simpletest.rc`;
  const pods = await eventually('every pod is ending', async () => {
    const all = await home.list<Pod>('pods');
    return all.every(({ metadata }) => metadata.deletionTimestamp !== undefined) ? all : undefined;
  });
  expect(pods).toHaveLength(REPLICAS);
  for (const { metadata } of pods) {
    const waiting = await home.api.json<ReplicationController>('GET', path);
    expect(waiting.metadata.finalizers).toEqual(['foregroundDeletion']);
    await home.api.json('DELETE', `${home.path('pods')}/${metadata.name}?gracePeriodSeconds=0`);
  }
  await home.holds({ replicationcontrollers: 0, pods: 0 });
});

test("[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted [Conformance]", async () => {
  const home = await new Home('two-owners').made();
  const leaving = await home.controller('simpletest-rc-to-be-deleted', REPLICAS);
  const staying = await home.controller('simpletest-rc-to-stay', 0);
  const shared = (await home.list<Pod>('pods')).slice(0, REPLICAS / 2);
  const { name, uid } = staying.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ReplicationController', name, uid }];
  for (const { metadata } of shared) {
    const body = { metadata: { ownerReferences } };
    const path = `${home.path('pods')}/${metadata.name}`;
    const patched = await home.api.json<Pod>('PATCH', path, { body, headers: STRATEGIC });
    expect(patched.metadata.ownerReferences).toHaveLength(2);
  }
  await home.remove(leaving, 'replicationcontrollers', 'Foreground');
  await home.holds({ replicationcontrollers: 1 });
  const left = await home.list<Pod>('pods');
  expect(left.map(({ metadata }) => metadata.name).sort()).toEqual(shared.map(({ metadata }) => metadata.name).sort());
  for (const { metadata } of left) {
    expect(metadata.deletionTimestamp).toBeUndefined();
    expect(metadata.ownerReferences).toEqual(ownerReferences);
  }
});

test('[sig-api-machinery] Garbage collector should not be blocked by dependency circle [Conformance]', async () => {
  const home = await new Home('circle').made();
  const pods: Pod[] = [];
  for (const name of ['pod1', 'pod2', 'pod3']) {
    const spec = { containers: [{ name: 'nginx', image: 'nginx' }] };
    pods.push(await home.create<Pod>('pods', { metadata: { name }, spec }));
  }
  const [first] = pods;
  if (first === undefined) throw new Error('the first pod was not made');
  for (const [index, pod] of pods.entries()) {
    const { name, uid } = (pods.at(index - 1) ?? first).metadata;
    const owner = { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true, blockOwnerDeletion: true };
    await home.api.json('PATCH', `${home.path('pods')}/${pod.metadata.name}`, {
      body: { metadata: { ownerReferences: [owner] } },
      headers: STRATEGIC,
    });
  }
  await home.remove(first, 'pods', 'Foreground');
  await home.holds({ pods: 0 });
});
