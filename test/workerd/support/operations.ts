/** What the conformance suite calls "API operations": every verb of a resource once, with a watch that sees them. */
import { expect } from 'vitest';
import type { KubeList, KubeObject } from '../../../shared/api/meta.ts';
import type { TestApi } from './api.ts';
import { eventsOf } from './events.ts';

export const MERGE = { 'content-type': 'application/merge-patch+json' };

export interface Operations {
  /** Group and version as in the path: `/apis/networking.k8s.io/v1`. */
  version: string;
  resource: string;
  kind: string;
  namespaced?: boolean;
  /** Everything but kind and metadata. */
  body: object;
  /** A controller writes the status as soon as there is an object. */
  controlled?: boolean;
  /** A merge patch of the status, where there is one, and what the object then shows. */
  status?: object;
}

type Labelled = KubeObject & Record<string, unknown>;

export const apiVersionAt = (version: string): string => version.replace(/^\/apis?\//, '');

/** Discovery, then create, get, list, watch, patch, update, status, delete and deletecollection. */
export async function supportsOperations(api: TestApi, of: Operations): Promise<void> {
  const apiVersion = apiVersionAt(of.version);
  await isDiscovered(api, of);
  const path = `${of.version}${of.namespaced ? '/namespaces/default' : ''}/${of.resource}`;
  const labels = { 'e2e-special': of.resource };
  const selected = `labelSelector=${encodeURIComponent(`e2e-special=${of.resource}`)}`;
  const object = (name: string) => ({ apiVersion, kind: of.kind, metadata: { name, labels }, ...of.body });

  const watched = eventsOf(await api.fetch('GET', `${path}?watch=1&${selected}`));
  for (const name of ['one', 'three', 'two']) await api.json('POST', path, { body: object(name) });
  const begun = (name: string) => [`ADDED ${name}`, ...(of.controlled ? [`MODIFIED ${name}`] : [])];
  const made = ['one', 'three', 'two'].flatMap(begun);
  expect(await watched.told(made.length)).toEqual(made);

  const read = await api.json<Labelled>('GET', `${path}/one`);
  expect(read).toMatchObject({ apiVersion, kind: of.kind, metadata: { name: 'one', labels } });
  const listed = await api.json<KubeList<Labelled>>('GET', `${path}?${selected}`);
  expect(listed.items.map((each) => each.metadata.name)).toEqual(['one', 'three', 'two']);
  if (of.namespaced) {
    const everywhere = await api.json<KubeList<Labelled>>('GET', `${of.version}/${of.resource}?${selected}`);
    expect(everywhere.items).toHaveLength(3);
  }

  const patched = await api.json<Labelled>('PATCH', `${path}/one`, {
    body: { metadata: { annotations: { patched: 'true' } } },
    headers: MERGE,
  });
  expect(patched.metadata.annotations).toMatchObject({ patched: 'true' });
  const annotations = { ...patched.metadata.annotations, updated: 'true' };
  const updated = await api.json<Labelled>('PUT', `${path}/one`, {
    body: { ...patched, metadata: { ...patched.metadata, annotations } },
  });
  expect(updated.metadata.annotations).toMatchObject({ patched: 'true', updated: 'true' });
  expect(await watched.told(2)).toEqual(['MODIFIED one', 'MODIFIED one']);
  if (of.status !== undefined) {
    const answered = await api.json<Labelled>('PATCH', `${path}/one/status`, {
      body: { status: of.status },
      headers: MERGE,
    });
    expect(answered.status).toMatchObject(of.status);
    expect((await api.json<Labelled>('GET', `${path}/one/status`)).status).toMatchObject(of.status);
    expect(await watched.told(1)).toEqual(['MODIFIED one']);
    const put = await api.json<Labelled>('PUT', `${path}/one/status`, {
      body: { ...answered, metadata: { ...answered.metadata, annotations: { ...annotations, statused: 'true' } } },
    });
    expect(put.status).toMatchObject(of.status);
    expect(put.metadata.annotations).toMatchObject({ statused: 'true' });
    expect(await watched.told(1)).toEqual(['MODIFIED one']);
  }

  await api.json('DELETE', `${path}/one`);
  expect(await api.code('GET', `${path}/one`)).toBe(404);
  expect(await watched.told(1)).toEqual(['DELETED one']);
  await api.json('DELETE', `${path}?${selected}`);
  expect(await watched.told(2)).toEqual(['DELETED three', 'DELETED two']);
  expect((await api.json<KubeList<Labelled>>('GET', `${path}?${selected}`)).items).toEqual([]);
  await watched.cancel();
}

async function isDiscovered(api: TestApi, of: Operations): Promise<void> {
  const [, root, group] = of.version.split('/');
  if (root === 'apis') {
    const groups = await api.json<{ groups: { name: string }[] }>('GET', '/apis');
    expect(groups.groups.map((each) => each.name)).toContain(group);
    const own = await api.json<{ versions: { version: string }[] }>('GET', `/apis/${group}`);
    expect(own.versions.map((each) => each.version)).toContain('v1');
  }
  const { resources } = await api.json<{ resources: { name: string; kind: string }[] }>('GET', of.version);
  const names = resources.map((each) => each.name);
  expect(names).toContain(of.resource);
  if (of.status !== undefined) expect(names).toContain(`${of.resource}/status`);
}
