/** Kubernetes' conformance test about Nodes as API objects, named after its line. */
import { expect, test } from 'vitest';
import type { Node } from '../../../shared/api/core.ts';
import type { KubeList } from '../../../shared/api/meta.ts';
import { TestApi } from '../support/api.ts';
import { MERGE } from '../support/operations.ts';

const api = new TestApi('conformance-nodes');
const NODES = '/api/v1/nodes';

test('[sig-node] Node Lifecycle should run through the lifecycle of a node [Conformance]', async () => {
  const created = await api.json<Node>('POST', NODES, {
    body: {
      metadata: { name: 'e2e-fake-node' },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'False', reason: 'E2E', message: 'fake' }] },
    },
  });
  expect((await api.json<Node>('GET', `${NODES}/e2e-fake-node`)).metadata.uid).toBe(created.metadata.uid);
  const patched = await api.json<Node>('PATCH', `${NODES}/e2e-fake-node`, {
    body: { metadata: { labels: { 'e2e-fake-node': 'patched' } } },
    headers: MERGE,
  });
  expect(patched.metadata.labels).toMatchObject({ 'e2e-fake-node': 'patched' });
  const selected = `${NODES}?labelSelector=e2e-fake-node%3Dpatched`;
  expect((await api.json<KubeList<Node>>('GET', selected)).items).toHaveLength(1);
  const labels = { ...patched.metadata.labels, 'e2e-fake-node': 'updated' };
  const current = await api.json<Node>('GET', `${NODES}/e2e-fake-node`);
  const updated = await api.json<Node>('PUT', `${NODES}/e2e-fake-node`, {
    body: { ...current, metadata: { ...current.metadata, labels } },
  });
  expect(updated.metadata.labels).toEqual(labels);
  await api.json('DELETE', `${NODES}?labelSelector=e2e-fake-node%3Dupdated`);
  expect(await api.code('GET', `${NODES}/e2e-fake-node`)).toBe(404);
});
