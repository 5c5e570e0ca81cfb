/** Kubernetes' conformance test about volumes and claims as API objects, named after its line: nobody binds them for it. */
import { expect, test } from 'vitest';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import { eventually } from '../../support/eventually.ts';
import { TestApi } from '../support/api.ts';

const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' };
const api = new TestApi('conformance-storage');
const VOLUMES = '/api/v1/persistentvolumes';
const NAMESPACE = '/api/v1/namespaces/default';
const CLAIMS = `${NAMESPACE}/persistentvolumeclaims`;
const CLASS = 'pv-lifecycle';

/** A volume and a claim with names of the server's making. */
async function pair(driver: string): Promise<{ volume: KubeObject; claim: KubeObject }> {
  const volume = await api.json<KubeObject>('POST', VOLUMES, {
    body: {
      metadata: { generateName: 'pv-', labels: { 'e2e-pv-pool': CLASS } },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '2Gi' },
        csi: { driver, volumeHandle: 'e2e-conformance' },
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: CLASS,
      },
    },
  });
  const claim = await api.json<KubeObject>('POST', CLAIMS, {
    body: {
      metadata: { generateName: 'pvc-' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } }, storageClassName: CLASS },
    },
  });
  return { volume, claim };
}

const items = async (path: string) => (await api.json<KubeList<KubeObject>>('GET', path)).items;
const isGone = (path: string) => eventually(`nothing is left at ${path}`, async () => (await items(path)).length === 0);

async function labelled(path: string, { metadata }: KubeObject, value: string): Promise<KubeObject> {
  const body = { metadata: { labels: { [metadata.name]: value } } };
  const patched = await api.json<KubeObject>('PATCH', `${path}/${metadata.name}`, { body, headers: STRATEGIC });
  expect(patched.metadata.labels).toMatchObject({ [metadata.name]: value });
  expect(Number(patched.metadata.resourceVersion)).toBeGreaterThan(Number(metadata.resourceVersion));
  const read = await api.json<KubeObject>('GET', `${path}/${metadata.name}`);
  expect(read.metadata.uid).toBe(metadata.uid);
  return read;
}

async function updated(path: string, { metadata }: KubeObject): Promise<string> {
  const current = await api.json<KubeObject>('GET', `${path}/${metadata.name}`);
  const labels = { ...current.metadata.labels, [metadata.name]: 'updated' };
  const put = await api.json<KubeObject>('PUT', `${path}/${metadata.name}`, {
    body: { ...current, metadata: { ...current.metadata, labels } },
  });
  expect(put.metadata.labels).toEqual(labels);
  return `labelSelector=${encodeURIComponent(`${metadata.name}=updated`)}`;
}

test('[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC [Conformance]', async () => {
  const driver = 'inline-driver.e2e.example.com';
  await api.json('POST', '/apis/storage.k8s.io/v1/csidrivers', {
    body: {
      metadata: { name: driver },
      spec: { volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'ReadWriteOnceWithFSType' },
    },
  });
  const pool = `${VOLUMES}?labelSelector=${encodeURIComponent(`e2e-pv-pool=${CLASS}`)}`;
  const first = await pair(driver);
  expect((await items(pool)).map((each) => each.metadata.uid)).toEqual([first.volume.metadata.uid]);
  expect((await items(CLAIMS)).map((each) => each.metadata.uid)).toEqual([first.claim.metadata.uid]);
  const [listed] = await items(pool);
  const volume = await labelled(VOLUMES, listed ?? first.volume, 'patched');
  const claim = await labelled(CLAIMS, first.claim, 'patched');
  await api.json('DELETE', `${CLAIMS}/${claim.metadata.name}`);
  await isGone(CLAIMS);
  await api.json('DELETE', `${VOLUMES}/${volume.metadata.name}`);
  await isGone(pool);

  const second = await pair(driver);
  const volumes = `${VOLUMES}?${await updated(VOLUMES, second.volume)}`;
  const selected = await updated(CLAIMS, second.claim);
  const everywhere = await items(`/api/v1/persistentvolumeclaims?${selected}`);
  expect(everywhere.map((each) => each.metadata.uid)).toEqual([second.claim.metadata.uid]);
  await api.json('DELETE', `${CLAIMS}?${selected}`);
  await isGone(`${CLAIMS}?${selected}`);
  await api.json('DELETE', volumes);
  await isGone(volumes);
});
