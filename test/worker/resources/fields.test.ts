import { describe, expect, test } from 'vitest';
import { schemaOf } from '../../../worker/resources/catalog.ts';
import type { JsonObject } from '../../../worker/resources/definition.ts';
import { checkFields, strictError } from '../../../worker/resources/fields.ts';
import { HOOKS_DEFINITION } from '../../../worker/resources/hooks.ts';
import { type Schema, schemaOfKind } from '../../../worker/resources/schemas.ts';

function schema(apiVersion: string, kind: string): Schema {
  const found = schemaOfKind(apiVersion, kind);
  if (found === undefined) throw new Error(`no ${apiVersion} ${kind}`);
  return found;
}
const POD = schema('v1', 'Pod');
const DEPLOYMENT = schema('apps/v1', 'Deployment');
const podWith = (spec: JsonObject): JsonObject => ({ apiVersion: 'v1', kind: 'Pod', spec });

describe('unknown fields', () => {
  test('are named by path, in the document’s order, and dropped', () => {
    const object: JsonObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      foo: 1,
      metadata: { name: 'a', labels: { anything: 'goes' }, nope: true },
      spec: { bar: {}, containers: [{ name: 'c' }, { name: 'd', baz: [], ports: [{ port: 80 }] }] },
    };
    expect(checkFields(POD, object)).toEqual({
      unknown: ['foo', 'metadata.nope', 'spec.bar', 'spec.containers[1].baz', 'spec.containers[1].ports[0].port'],
      problems: [
        'unknown field "foo"',
        'unknown field "metadata.nope"',
        'unknown field "spec.bar"',
        'unknown field "spec.containers[1].baz"',
        'unknown field "spec.containers[1].ports[0].port"',
      ],
    });
    expect(object).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', labels: { anything: 'goes' } },
      spec: { containers: [{ name: 'c' }, { name: 'd', ports: [{}] }] },
    });
  });

  test('and duplicate ones make one strict error, a field unknown and duplicate only the first', () => {
    const object: JsonObject = { spec: { unknown1: 1, unknownDup: 1, paused: true } };
    const { problems } = checkFields(DEPLOYMENT, object, { duplicates: ['spec.unknownDup', 'spec.paused'] });
    expect(strictError(DEPLOYMENT, problems).status).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message:
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.unknown1", unknown field "spec.unknownDup", duplicate field "spec.paused"',
    });
  });

  test('inside inline messages are known: a volume’s source, a probe’s handler', () => {
    const spec = { volumes: [{ name: 'v', configMap: { name: 'c' } }], containers: [{ livenessProbe: { exec: {} } }] };
    expect(checkFields(POD, podWith(spec)).unknown).toEqual([]);
  });

  test('of a schema inside a custom resource definition are found too', () => {
    const crd = schema('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
    const openAPIV3Schema = {
      type: 'object',
      properties: { a: { items: { typ: 'string' } } },
      additionalProperties: true,
    };
    const object: JsonObject = { spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema } }] } };
    expect(checkFields(crd, object).unknown).toEqual([
      'spec.versions[0].schema.openAPIV3Schema.properties.a.items.typ',
    ]);
  });

  test('of our own group are found by its structural schema', () => {
    const object: JsonObject = {
      apiVersion: 'longshore.dev/v1',
      kind: 'Hook',
      metadata: { x: 1 },
      spec: { target: { deploy: 'a' } },
    };
    expect(checkFields(schemaOf(HOOKS_DEFINITION), object).unknown).toEqual(['metadata.x', 'spec.target.deploy']);
  });
});

describe('a value of the wrong type', () => {
  const handled = 'Deployment in version "v1" cannot be handled as a Deployment: ';
  test.each<[JsonObject, string]>([
    [
      { spec: { replicas: 'two' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 3e9 } },
      'json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { paused: 'no' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool',
    ],
    [{ spec: [] }, 'json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec'],
    [
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [{ metadata: 'x' }, 'json: cannot unmarshal string into Go struct field Deployment.metadata of type v1.ObjectMeta'],
    [
      { spec: { template: { spec: { containers: [{ env: [{ name: 'A', value: 1 }] }] } } } },
      'json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string',
    ],
    [
      { spec: { template: { spec: { containers: {} } } } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [
      { spec: { template: { spec: { containers: [{ args: [1] }] } } } },
      'json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.args of type string',
    ],
    [
      { spec: { template: { spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } } } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      { spec: { strategy: { rollingUpdate: { maxSurge: true } } } },
      'json: cannot unmarshal bool into Go value of type int32',
    ],
    [
      { metadata: { creationTimestamp: 'soon' } },
      'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"',
    ],
  ])('%j is refused with Go’s words', (object, why) => {
    expect(() => checkFields(DEPLOYMENT, object)).toThrow(
      expect.objectContaining({ code: 400, message: handled + why }),
    );
  });

  test('is where base64 stops being it', () => {
    const secret = schema('v1', 'Secret');
    expect(() => checkFields(secret, { data: { a: 'ab!c' } })).toThrow('illegal base64 data at input byte 2');
    expect(() => checkFields(secret, { data: { a: 'YWJj=' } })).toThrow('illegal base64 data at input byte 4');
    expect(checkFields(secret, { data: { a: 'YWJj', b: '', c: 'YQ==' } }).problems).toEqual([]);
  });
});

describe('what is stored', () => {
  test('has no nulls and no empty optional lists and maps, but keeps empty objects', () => {
    const object = podWith({
      containers: [{ name: 'c', env: [], command: null }],
      nodeSelector: {},
      securityContext: {},
      volumes: null,
    });
    checkFields(POD, object);
    expect(object.spec).toEqual({ containers: [{ name: 'c' }], securityContext: {} });
  });

  test('has quantities and times in their one form', () => {
    const object: JsonObject = {
      metadata: { creationTimestamp: '2026-01-01T02:00:00.5+02:00', deletionTimestamp: null },
      spec: { containers: [{ name: 'c', resources: { requests: { cpu: 0.5, memory: '1024Mi' } } }] },
    };
    checkFields(POD, object);
    expect(object).toEqual({
      metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { containers: [{ name: 'c', resources: { requests: { cpu: '500m', memory: '1Gi' } } }] },
    });
  });

  test('reads nulls inside lists and maps as Go’s zero values', () => {
    const object = podWith({ containers: [null, { args: ['a', null] }], nodeSelector: { a: null } });
    checkFields(POD, object);
    expect(object.spec).toEqual({ containers: [{}, { args: ['a', ''] }], nodeSelector: { a: '' } });
  });

  test('keeps a map’s key named __proto__ as data', () => {
    const object = JSON.parse('{"data":{"__proto__":"x","a":"b"}}') as JsonObject;
    checkFields(schema('v1', 'ConfigMap'), object);
    expect(JSON.stringify(object)).toBe('{"data":{"__proto__":"x","a":"b"}}');
  });
});
