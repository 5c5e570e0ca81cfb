/** The four kinds of patch, laid on a Deployment; and managed fields, which clients may write too. */
import { expect } from 'vitest';
import type { ManagedFieldsEntry } from '../../shared/api/meta.ts';
import { parsePatch } from '../../worker/http/patch-body.ts';
import { areFields, type FieldSet, paths } from '../../worker/registry/apply/field-set.ts';
import { apply, trackUpdate } from '../../worker/registry/apply/managed-fields.ts';
import { typeOfSchema } from '../../worker/registry/apply/schema-types.ts';
import { fieldsOf, type JsonMap } from '../../worker/registry/apply/typed.ts';
import { type JsonMap as AnyMap, isMap } from '../../worker/registry/json.ts';
import { applyJsonPatch, applyMergePatch } from '../../worker/registry/json-patch.ts';
import { applyStrategicMergePatch } from '../../worker/registry/strategic-merge-patch.ts';
import { MAX_OBJECT_DEPTH, scanJson } from '../../worker/resources/json-scan.ts';
import { definition } from '../../worker/resources/schemas.ts';
import { isRefusal, JSON_TOKENS } from './bodies.ts';
import type { Parser } from './parser.ts';

const SCHEMA = definition('io.k8s.api.apps.v1.Deployment');
const TYPE = typeOfSchema(SCHEMA);

const deployment = (): JsonMap => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', labels: { app: 'web' }, finalizers: ['x/a', 'x/b'] },
  spec: {
    replicas: 2,
    template: {
      spec: {
        containers: [
          { name: 'a', image: 'i', ports: [{ containerPort: 80, protocol: 'TCP' }], env: [{ name: 'A', value: '1' }] },
          { name: 'b', image: 'i' },
        ],
        tolerations: [{ key: 'x', operator: 'Exists' }],
      },
    },
  },
});

/** A patch that could make of a small object what no request may send would be a way around every limit. */
const LONGEST_RESULT = 8 * 1024 * 1024;

function checkResult(result: AnyMap): void {
  const text = JSON.stringify(result);
  expect(text.length).toBeLessThan(LONGEST_RESULT);
  // What goes on is no deeper than what could have been sent.
  expect(() => scanJson(text), `nested deeper than ${MAX_OBJECT_DEPTH}`).not.toThrow();
}

const patchReader = (lay: (document: JsonMap, patch: unknown) => AnyMap) => (bytes: Uint8Array) => {
  const document = deployment();
  const before = JSON.stringify(document);
  try {
    checkResult(lay(document, parsePatch(bytes).patch));
  } finally {
    expect(JSON.stringify(document), 'the stored object was changed in place').toBe(before);
    expect(Object.keys(Object.prototype), 'the prototype of everything').toEqual([]);
  }
};

const manager = (name: string) => ({
  type: TYPE,
  manager: { name, operation: 'Apply' as const, apiVersion: 'apps/v1', subresource: '' },
  now: '2026-01-01T00:00:00Z',
});

/** Paths that a manifest sets and the object does not have. */
function missing(config: JsonMap, object: JsonMap): string[] {
  const { metadata, ...rest } = config;
  const { managedFields: _, ...bare } = (isMap(metadata) ? metadata : {}) as JsonMap;
  const present = fieldsOf(TYPE, object);
  const isThere = (path: readonly string[]) =>
    path.reduce<FieldSet | undefined>((at, element) => at?.children.get(element), present) !== undefined;
  const wanted = fieldsOf(TYPE, isMap(metadata) ? { ...rest, metadata: bare } : rest);
  return [...paths(wanted)].filter((path) => !isThere(path)).map((path) => path.join(' '));
}

const DIRECTIVES = [
  '"$patch":"delete"',
  '"$patch":"replace"',
  '"$retainKeys":[',
  '"$setElementOrder/containers":[',
  '"$deleteFromPrimitiveList/finalizers":[',
];
const FIELDS = [
  '"metadata":{',
  '"spec":{',
  '"template":{',
  '"containers":[',
  '"finalizers":[',
  '"name":"a"',
  '"x/a"',
  '"ports":[',
  '"image":null',
];

export const PATCHES: Parser[] = [
  {
    name: 'a JSON patch',
    seeds: [
      '[{"op":"add","path":"/metadata/labels/x~1y","value":{"a":[1]}},{"op":"copy","from":"/spec","path":"/spec/template/more"},{"op":"move","from":"/metadata/finalizers/0","path":"/metadata/finalizers/-"}]',
      '[{"op":"test","path":"/spec/replicas","value":2},{"op":"remove","path":"/spec/template/spec/containers/1"},{"op":"replace","path":"","value":{"kind":"Deployment"}}]',
    ],
    tokens: [
      ...JSON_TOKENS,
      '{"op":"copy","from":"","path":"/spec/a"},',
      '{"op":"move","from":"/spec","path":"/a"},',
      '{"op":"add","path":"/a","value":{}},',
      '"/-"',
      '"/~"',
      '"/0"',
      '"/4294967295"',
      '"/length"',
      '"/__proto__/x"',
      '"/constructor"',
    ],
    longestBytes: 256 * 1024,
    read: patchReader(applyJsonPatch),
    refuses: isRefusal,
  },
  {
    name: 'a merge patch',
    seeds: [
      '{"metadata":{"labels":{"app":null,"b":"c"}},"spec":{"replicas":3,"template":{"spec":{"containers":[]}}}}',
      '{"a":{"b":{"c":null}}}',
    ],
    tokens: [...JSON_TOKENS, ...FIELDS],
    longestBytes: 256 * 1024,
    read: patchReader(applyMergePatch),
    refuses: isRefusal,
  },
  {
    name: 'a strategic merge patch',
    seeds: [
      '{"metadata":{"finalizers":["x/c"],"$deleteFromPrimitiveList/finalizers":["x/a"]},"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a","$patch":"delete"},{"name":"c","image":"i"}]}}}}',
      '{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":{"spec":{"containers":[{"$patch":"replace"},{"name":"z"}],"tolerations":[{"key":"y"}]}}}}',
    ],
    tokens: [...JSON_TOKENS, ...FIELDS, ...DIRECTIVES, '{"name":"a"},', '"x/a",'],
    longestBytes: 256 * 1024,
    mostLong: 3,
    read: patchReader((document, patch) => applyStrategicMergePatch(document, patch, SCHEMA)),
    refuses: isRefusal,
  },
  {
    name: 'an apply patch',
    seeds: [
      '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"app":"web"},"finalizers":["x/b","x/c"]},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"b","image":"j"},{"name":"a","ports":[{"containerPort":80}]}]}}}}',
      '{"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"A"},{"name":"B"}]}],"tolerations":[]}}}}',
    ],
    tokens: [...JSON_TOKENS, ...FIELDS, '{"name":"a"},', '"x/a",'],
    longestBytes: 256 * 1024,
    // Three applies, each of which walks over what was sent some ten times.
    mostLong: 15,
    read: patchReader((document, patch) => {
      if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return document;
      const live = apply(manager('first'), { metadata: {} }, document, [], false);
      const once = apply(manager('second'), live.object, patch as JsonMap, live.entries, true);
      expect(missing(patch as JsonMap, once.object), 'what was applied and is not there').toEqual([]);
      const twice = apply(manager('second'), once.object, patch as JsonMap, once.entries, false);
      expect(twice.object, 'applied again').toEqual(once.object);
      return once.object;
    }),
    refuses: isRefusal,
  },
  {
    name: 'managed fields',
    seeds: [
      '{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{"k:{\\"name\\":\\"a\\"}":{".":{},"f:image":{}}}}}}}',
      '{"f:metadata":{"f:finalizers":{"v:\\"x/a\\"":{}}}}',
    ],
    tokens: [...JSON_TOKENS, '"f:spec":{', '"k:{":{', '"k:{}":{', '"v:":{', '"i:x":{', '".":{}', '"":{'],
    longestBytes: 256 * 1024,
    read: (bytes) => {
      const fieldsV1 = parsePatch(bytes).patch as ManagedFieldsEntry['fieldsV1'];
      // What cannot be read does not come this far.
      if (!areFields(fieldsV1)) return;
      const entries = [
        {
          manager: 'second',
          operation: 'Apply' as const,
          apiVersion: 'apps/v1',
          fieldsType: 'FieldsV1' as const,
          fieldsV1,
        },
      ] as ManagedFieldsEntry[];
      const live = deployment();
      const after = { ...live, spec: { replicas: 5 } };
      trackUpdate(
        { ...manager('other'), manager: { ...manager('other').manager, operation: 'Update' } },
        live,
        after,
        entries,
      );
      apply(manager('second'), live, { spec: { replicas: 2 } }, entries, false);
      apply(manager('third'), live, { spec: { replicas: 7 } }, entries, true);
    },
    refuses: isRefusal,
  },
];
