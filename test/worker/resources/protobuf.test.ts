/** Bodies as kubectl 1.33 sends them (fixtures), and bodies written here for what kubectl does not say. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { PODS } from '../../../shared/api/core.ts';
import { decodeBody, PROTOBUF_TYPE } from '../../../worker/resources/decode.ts';
import { checkFields } from '../../../worker/resources/fields.ts';
import { schemaOfKind } from '../../../worker/resources/schemas.ts';
import bodies from './fixtures/kubectl-bodies.json' with { type: 'json' };

const fixture = (name: keyof typeof bodies): Uint8Array => Uint8Array.from(Buffer.from(bodies[name], 'base64'));

describe('what kubectl sends', () => {
  test('for create configmap, with bytes that are no text', () => {
    expect(decodeBody(fixture('configmaps'), PROTOBUF_TYPE).object).toEqual({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'web' },
      data: { a: '1', b: 'zwei ü' },
      binaryData: { 'bin.dat': 'YmluYXJ5//4=' },
    });
  });

  test('for create deployment --replicas=0, where zero is said and not left out', () => {
    expect(decodeBody(fixture('deployments'), PROTOBUF_TYPE).object).toEqual({
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'web' } },
        strategy: {},
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'nginx', image: 'nginx:1.25', ports: [{ containerPort: 80 }], resources: {} }] },
        },
      },
      status: { replicas: 0 },
    });
  });

  test('for create service nodeport, whose target port is a number', () => {
    expect(decodeBody(fixture('services'), PROTOBUF_TYPE).object).toMatchObject({
      spec: { type: 'NodePort', ports: [{ name: '80-8080', port: 80, protocol: 'TCP', targetPort: 8080 }] },
    });
  });

  test('for create token', () => {
    expect(decodeBody(fixture('tokenrequests'), PROTOBUF_TYPE).object).toMatchObject({
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { audiences: ['x'], expirationSeconds: 3600 },
    });
  });

  test('for create quota and pdb, with quantities and a percentage', () => {
    expect(decodeBody(fixture('resourcequotas'), PROTOBUF_TYPE).object).toMatchObject({
      spec: { hard: { cpu: '1', memory: '1Gi' } },
    });
    expect(decodeBody(fixture('poddisruptionbudgets'), PROTOBUF_TYPE).object).toMatchObject({
      spec: { minAvailable: '50%' },
    });
  });

  test.each(Object.keys(bodies) as (keyof typeof bodies)[])('for %s fits the schema of its kind', (name) => {
    const { object } = decodeBody(fixture(name), PROTOBUF_TYPE);
    const schema = schemaOfKind(String(object.apiVersion), String(object.kind));
    expect(schema && checkFields(schema, object).problems).toEqual([]);
  });
});

/** The `k8s\0` envelope around a message. */
function envelope(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array {
  const typeMeta = new BinaryWriter().tag(1, WireType.LengthDelimited).string(apiVersion);
  typeMeta.tag(2, WireType.LengthDelimited).string(kind);
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(typeMeta.finish());
  writer.tag(2, WireType.LengthDelimited).bytes(raw);
  return Uint8Array.from([0x6b, 0x38, 0x73, 0, ...writer.finish()]);
}

const message = (write: (writer: BinaryWriter) => BinaryWriter): Uint8Array => write(new BinaryWriter()).finish();
const nested = (writer: BinaryWriter, number: number, write: (writer: BinaryWriter) => BinaryWriter): BinaryWriter =>
  writer.tag(number, WireType.LengthDelimited).bytes(message(write));
const text = (writer: BinaryWriter, number: number, value: string): BinaryWriter =>
  writer.tag(number, WireType.LengthDelimited).string(value);
const number = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(value);

const decode = (apiVersion: string, kind: string, raw: Uint8Array) =>
  decodeBody(envelope(apiVersion, kind, raw), PROTOBUF_TYPE).object;

describe('special forms', () => {
  test('times, micro times and zero times', () => {
    const raw = message((writer) => {
      nested(writer, 1, (meta) => nested(meta, 8, (time) => number(time, 1, 1_767_225_600)));
      nested(writer, 6, (zero) => zero);
      return nested(writer, 10, (time) => number(number(time, 1, 1_767_225_600), 2, 123_456_789));
    });
    const event = decode('v1', 'Event', raw);
    expect(event).toMatchObject({
      metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
      eventTime: '2026-01-01T00:00:00.123456Z',
    });
    expect(event).not.toHaveProperty('firstTimestamp');
  });

  test('a port by name, an inline volume source, an environment from a field', () => {
    const raw = message((writer) =>
      nested(writer, 2, (spec) => {
        nested(spec, 1, (volume) =>
          nested(text(volume, 1, 'v'), 2, (source) => nested(source, 2, (dir) => text(dir, 1, 'Memory'))),
        );
        return nested(spec, 2, (container) => {
          text(container, 1, 'main');
          return nested(container, 10, (probe) =>
            nested(probe, 1, (handler) =>
              nested(handler, 2, (get) => nested(get, 2, (port) => text(number(port, 1, 1), 3, 'http'))),
            ),
          );
        });
      }),
    );
    expect(decode('v1', 'Pod', raw)).toMatchObject({
      spec: {
        volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }],
        containers: [{ name: 'main', livenessProbe: { httpGet: { port: 'http' } } }],
      },
    });
  });

  test('a custom resource definition’s schema: any JSON, and things that are one or the other', () => {
    const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const any = (writer: BinaryWriter, field: number, value: unknown) =>
      nested(writer, field, (raw) => raw.tag(1, WireType.LengthDelimited).bytes(json(value)));
    const props = (writer: BinaryWriter) => {
      text(writer, 5, 'object');
      any(writer, 8, { a: [1] });
      any(writer, 20, 'x');
      nested(writer, 24, (items) => nested(items, 1, (schema) => text(schema, 5, 'string')));
      return nested(writer, 30, (additional) => additional.tag(1, WireType.Varint).bool(true));
    };
    const raw = message((writer) =>
      nested(writer, 2, (spec) =>
        nested(spec, 7, (version) => nested(text(version, 1, 'v1'), 4, (validation) => nested(validation, 1, props))),
      ),
    );
    expect(decode('apiextensions.k8s.io/v1', 'CustomResourceDefinition', raw)).toMatchObject({
      spec: {
        versions: [
          {
            name: 'v1',
            schema: {
              openAPIV3Schema: {
                type: 'object',
                default: { a: [1] },
                enum: ['x'],
                items: { type: 'string' },
                additionalProperties: true,
              },
            },
          },
        ],
      },
    });
  });

  test('fields that nobody knows are skipped', () => {
    const raw = message((writer) =>
      text(
        nested(writer, 1, (meta) => text(meta, 1, 'a')),
        999,
        'new',
      ),
    );
    expect(decode('v1', 'ConfigMap', raw)).toEqual({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' } });
  });
});

describe('a body that is no message', () => {
  test.each([
    [
      'without the prefix',
      Uint8Array.from([1, 2, 3]),
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (010203)',
    ],
    ['cut short', fixture('deployments').subarray(0, 60), 'unexpected EOF'],
  ])('%s is refused', (_, bytes, why) => {
    expect(() => decodeBody(bytes, PROTOBUF_TYPE, { identity: PODS })).toThrow(
      expect.objectContaining({ code: 400, message: expect.stringContaining(why) }),
    );
  });

  test('of another kind than the URL’s is refused', () => {
    expect(() => decodeBody(fixture('services'), PROTOBUF_TYPE, { identity: PODS })).toThrow(
      'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
    );
  });

  test('of a kind that nobody knows is refused', () => {
    expect(() => decodeBody(envelope('x.io/v1', 'X', new Uint8Array()), PROTOBUF_TYPE)).toThrow(
      'no kind "X" is registered for version "x.io/v1"',
    );
  });

  test('nested without end is refused', () => {
    let schema: Uint8Array = new Uint8Array();
    for (let depth = 0; depth < 400; depth++) {
      const inner = schema;
      schema = message((writer) => writer.tag(28, WireType.LengthDelimited).bytes(inner));
    }
    const raw = message((writer) =>
      nested(writer, 2, (spec) =>
        nested(spec, 7, (version) =>
          nested(version, 4, (validation) => validation.tag(1, WireType.LengthDelimited).bytes(schema)),
        ),
      ),
    );
    expect(() => decode('apiextensions.k8s.io/v1', 'CustomResourceDefinition', raw)).toThrow(
      'nested deeper than 200 levels',
    );
  });
});
