import { expect, test } from 'vitest';
import type { JsonMap } from '../../../worker/registry/json.ts';
import { applyStrategicMergePatch } from '../../../worker/registry/strategic-merge-patch.ts';
import { definition } from '../../../worker/resources/schemas.ts';

const SPEC = definition('io.k8s.api.core.v1.PodSpec');
const SERVICE = definition('io.k8s.api.core.v1.ServiceSpec');
const DEPLOYMENT = definition('io.k8s.api.apps.v1.DeploymentSpec');
const META = definition('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

test.each<[string, typeof SPEC, JsonMap, JsonMap, JsonMap]>([
  [
    'lists of objects merge by their key, and others stay',
    SPEC,
    {
      containers: [
        { name: 'a', image: '1', args: ['x'] },
        { name: 'b', image: '1' },
      ],
    },
    {
      containers: [
        { name: 'b', image: '2' },
        { name: 'c', image: '3' },
      ],
    },
    {
      containers: [
        { name: 'a', image: '1', args: ['x'] },
        { name: 'b', image: '2' },
        { name: 'c', image: '3' },
      ],
    },
  ],
  [
    'lists without a rule are replaced',
    SPEC,
    { containers: [{ name: 'a', args: ['x', 'y'] }] },
    { containers: [{ name: 'a', args: ['z'] }] },
    { containers: [{ name: 'a', args: ['z'] }] },
  ],
  ['null removes', SPEC, { nodeName: 'x', hostname: 'y' }, { nodeName: null }, { hostname: 'y' }],
  [
    '$patch: delete removes an element',
    SPEC,
    { containers: [{ name: 'a' }, { name: 'b' }] },
    { containers: [{ name: 'a', $patch: 'delete' }] },
    { containers: [{ name: 'b' }] },
  ],
  [
    '$patch: replace replaces a list',
    SPEC,
    { containers: [{ name: 'a' }, { name: 'b' }] },
    { containers: [{ $patch: 'replace' }, { name: 'c', image: '1' }] },
    { containers: [{ name: 'c', image: '1' }] },
  ],
  [
    '$patch: replace replaces a map',
    SPEC,
    { nodeSelector: { a: '1', b: '2' } },
    { nodeSelector: { $patch: 'replace', c: '3' } },
    { nodeSelector: { c: '3' } },
  ],
  [
    '$setElementOrder puts the list in order, what only the server has keeping its place',
    SPEC,
    { containers: [{ name: 'a' }, { name: 'server' }, { name: 'b' }] },
    { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }], containers: [{ name: 'c' }] },
    { containers: [{ name: 'c' }, { name: 'server' }, { name: 'b' }, { name: 'a' }] },
  ],
  [
    '$deleteFromPrimitiveList removes values',
    META,
    { finalizers: ['a', 'b', 'c'] },
    { '$deleteFromPrimitiveList/finalizers': ['b'] },
    { finalizers: ['a', 'c'] },
  ],
  [
    'lists of plain values are joined',
    META,
    { finalizers: ['a', 'b'] },
    { finalizers: ['b', 'c'] },
    { finalizers: ['a', 'b', 'c'] },
  ],
  [
    '$retainKeys drops the other members of a union',
    DEPLOYMENT,
    { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    { strategy: { type: 'Recreate' } },
  ],
  [
    'Service ports merge by number',
    SERVICE,
    { ports: [{ port: 80, name: 'http', nodePort: 30000 }] },
    {
      ports: [
        { port: 80, name: 'web' },
        { port: 443, name: 'https' },
      ],
    },
    {
      ports: [
        { port: 80, name: 'web', nodePort: 30000 },
        { port: 443, name: 'https' },
      ],
    },
  ],
  [
    'directives in what is new leave no trace',
    SPEC,
    {},
    { containers: [{ name: 'a', '$setElementOrder/ports': [{ containerPort: 1 }], ports: [{ containerPort: 1 }] }] },
    { containers: [{ name: 'a', ports: [{ containerPort: 1 }] }] },
  ],
  ['an empty patch changes nothing', SPEC, { containers: [{ name: 'a' }] }, {}, { containers: [{ name: 'a' }] }],
])('%s', (_rule, schema, before, patch, after) => {
  const original = structuredClone(before);
  expect(applyStrategicMergePatch(before, patch, schema)).toEqual(after);
  expect(before, 'the document was changed in place').toEqual(original);
});

test('an element without its merge key is refused', () => {
  expect(() => applyStrategicMergePatch({}, { containers: [{ image: 'x' }] }, SPEC)).toThrow(
    'does not contain declared merge key: name',
  );
});
