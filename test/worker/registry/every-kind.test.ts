/**
 * Every kind that is served goes through every verb of the registry: what is made from the least manifest is found, is
 * written again without a change, is changed, has a row, a schema and, where it has one, a status that stays its own.
 */
import { describe, expect, test } from 'vitest';
import { apiVersionOf, groupResourceOf, type KubeObject } from '../../../shared/api/meta.ts';
import { StatusError } from '../../../shared/errors.ts';
import { create } from '../../../worker/registry/create.ts';
import { deleteCollection, deleteObject } from '../../../worker/registry/delete.ts';
import { columnDefinitions, tableRow } from '../../../worker/registry/table.ts';
import { update } from '../../../worker/registry/update.ts';
import { catalogOf, schemaOf } from '../../../worker/resources/catalog.ts';
import { decodeBody } from '../../../worker/resources/decode.ts';
import type { JsonObject, ResourceDefinition } from '../../../worker/resources/definition.ts';
import { checkFields } from '../../../worker/resources/fields.ts';
import { SYSTEM, type TestCluster, testCluster } from '../../support/cluster.ts';
import { MANIFESTS } from '../resources/manifests.ts';

type Loose = KubeObject & Record<string, unknown>;

const stored = catalogOf().definitions.filter((each) => each.virtual !== true);

function world(definition: ResourceDefinition) {
  const cluster: TestCluster = testCluster();
  const key = groupResourceOf(definition.identity);
  const { identity } = definition;
  const namespace = identity.namespaced ? 'default' : '';
  const manifest = MANIFESTS[key];
  if (manifest === undefined) throw new Error(`${key} is served, and manifests.ts has no least manifest of it`);
  const name = manifest.name ?? 'a';
  const draft = (named = name): Loose => {
    const object = {
      apiVersion: apiVersionOf(identity),
      kind: identity.kind,
      metadata: { name: named, labels: { made: 'here' } },
      ...structuredClone(manifest.body),
    };
    const { problems } = checkFields(schemaOf(definition), object as unknown as JsonObject);
    expect(problems).toEqual([]);
    return object as unknown as Loose;
  };
  const write = (object: Loose, subresource: '' | 'status' = '') =>
    cluster.as(SYSTEM, (session) => {
      const copy = structuredClone(object);
      return update(session, definition, namespace, name, copy, { subresource }).object as Loose;
    });
  return {
    cluster,
    key,
    namespace,
    name,
    manifest,
    draft,
    write,
    make: () =>
      cluster.as(SYSTEM, (session) => structuredClone(create(session, definition, namespace, draft()).object as Loose)),
    read: () => cluster.stored<Loose>(key, namespace, name),
  };
}

/** The value with one part of it, however deep, left out or empty. */
function* lacking(value: unknown): Generator<unknown> {
  if (typeof value === 'string') yield '';
  if (typeof value !== 'object' || value === null) return;
  yield Array.isArray(value) ? [] : {};
  for (const [key, each] of Object.entries(value)) {
    for (const part of [undefined, ...lacking(each)]) {
      if (Array.isArray(value)) {
        const items = value.with(Number(key), part).filter((item) => item !== undefined);
        if (part !== undefined) yield items;
      } else yield { ...value, [key]: part };
    }
  }
}

describe.each(stored.map((each) => [groupResourceOf(each.identity), each] as const))('%s', (_key, definition) => {
  test('are created, found, written again unchanged, changed and deleted', () => {
    const { cluster, key, namespace, name, make, read, write } = world(definition);
    make();
    const before = read();
    expect(before?.metadata).toMatchObject({ name, uid: expect.any(String), labels: { made: 'here' } });
    if (before === undefined) return;
    const listed = [
      ...cluster.plane.store.list({ resource: key, having: [{ index: 'label:made', value: 'here' }] }).items,
    ];
    expect(listed.map((each) => each.name)).toEqual([name]);
    expect(write(before).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    const changed = write({ ...before, metadata: { ...before.metadata, annotations: { changed: 'yes' } } });
    expect(Number(changed.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
    expect(changed.metadata.generation).toBe(before.metadata.generation);
    expect(() => write({ ...before, metadata: { ...before.metadata, resourceVersion: '1' } })).toThrow(
      'the object has been modified',
    );
    const types = cluster.changes
      .filter((each) => each.resource === key && each.name === name)
      .map((each) => each.type);
    expect(types.slice(0, 2)).toEqual(['ADDED', 'MODIFIED']);
    const { gone } = cluster.as(SYSTEM, (session) => {
      const deleted = deleteObject(session, definition, namespace, name, { gracePeriodSeconds: 0 });
      return { gone: deleted.gone };
    });
    // A namespace goes when its content has; a definition when its objects have.
    expect(gone || read()?.metadata.deletionTimestamp !== undefined || read() === undefined).toBe(true);
  });

  test('of which nothing is said are stored with an empty spec, or refused', () => {
    const { cluster, key, namespace, name, make } = world(definition);
    const { identity } = definition;
    const empty = () => ({ apiVersion: apiVersionOf(identity), kind: identity.kind, metadata: { name } }) as Loose;
    const refused = (body: () => unknown): boolean => {
      try {
        body();
        return false;
      } catch (error) {
        if (error instanceof StatusError && error.code < 500) return true;
        throw error;
      }
    };
    const hasSpec = schemaOf(definition).fields?.has('spec') ?? false;
    if (!refused(() => cluster.as(SYSTEM, (session) => create(session, definition, namespace, empty())))) {
      expect('spec' in (cluster.stored<Loose>(key, namespace, name) ?? {})).toBe(hasSpec);
    } else make();
    refused(() => cluster.as(SYSTEM, (session) => update(session, definition, namespace, name, empty())));
  });

  test('in which any part is missing or empty are stored or refused, and shown', () => {
    const { cluster, namespace, name, make, draft } = world(definition);
    make();
    const { metadata, ...rest } = draft();
    const faults: string[] = [];
    const attempt = (what: string, given: Loose, body: (object: Loose) => Loose) => {
      const { object } = decodeBody(new TextEncoder().encode(JSON.stringify(given)), 'application/json', definition);
      try {
        checkFields(schemaOf(definition), object);
        tableRow(definition, body(object as unknown as Loose), 'Metadata', 0);
      } catch (error) {
        if (error instanceof StatusError && error.code < 500) return;
        faults.push(`${what} ${JSON.stringify(given)}: ${error instanceof Error ? error.stack?.slice(0, 300) : error}`);
      }
    };
    let count = 0;
    for (const part of lacking(rest)) {
      const object = { ...(part as object), metadata } as Loose;
      const other = { ...object, metadata: { ...metadata, name: `${name}-${count++}` } } as Loose;
      attempt('create', other, (made) =>
        cluster.as(SYSTEM, (session) => create(session, definition, namespace, made).object as Loose),
      );
      attempt('update', object, (changed) =>
        cluster.as(SYSTEM, (session) => update(session, definition, namespace, name, changed).object as Loose),
      );
    }
    expect(faults).toEqual([]);
  });

  test('are deleted as a collection, by label', () => {
    const { cluster, key, namespace, make } = world(definition);
    make();
    const query = {
      namespace: definition.identity.namespaced ? namespace : undefined,
      having: [{ index: 'label:made', value: 'here' }],
      matches: undefined,
    };
    const names = cluster.as(SYSTEM, (session) =>
      deleteCollection(session, definition, query, { gracePeriodSeconds: 0 }).map((each) => each.object.metadata.name),
    );
    expect(names).toHaveLength(1);
    const left = [...cluster.plane.store.list({ resource: key, having: query.having }).items];
    expect(left.every((each) => each.text.includes('deletionTimestamp'))).toBe(true);
  });

  test('have a row that fits their columns', () => {
    const { cluster, make } = world(definition);
    const object = make();
    const row = tableRow(definition, object, 'Metadata', cluster.clock.nowMs);
    expect(row.cells).toHaveLength(columnDefinitions(definition).length);
    expect(row.cells).not.toContain(undefined);
    expect(row.cells[0] === null || typeof row.cells[0] === 'string').toBe(true);
  });

  test('have a schema with their kind, for explain and for clients', () => {
    const schema = schemaOf(definition);
    const { identity } = definition;
    expect(schema.identity).toEqual({ apiVersion: apiVersionOf(identity), kind: identity.kind });
    expect([...(schema.fields?.keys() ?? [])]).toContain('metadata');
  });
});

const withStatus = stored.filter((each) => each.subresources.includes('status'));

test.each(withStatus.map((each) => [groupResourceOf(each.identity), each] as const))(
  '%s keep status and spec apart',
  (_key, definition) => {
    const { make, read, write, manifest } = world(definition);
    make();
    const before = read();
    if (before === undefined) throw new Error('nothing is stored');
    // The main path changes no status.
    const main = write({ ...before, status: { nonsense: true } });
    expect(main.status).toEqual(before.status);
    if (manifest.status === undefined) return;
    const after = write({ ...before, status: manifest.status, spec: { nonsense: true } }, 'status');
    expect(after.status).toMatchObject(manifest.status);
    expect(after.spec).toEqual(before.spec);
  },
);
