/** Bodies of requests: JSON, YAML, protobuf. */
import { PODS } from '../../shared/api/core.ts';
import { StatusError } from '../../shared/errors.ts';
import { decodeBody, JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE } from '../../worker/resources/decode.ts';
import { checkFields } from '../../worker/resources/fields.ts';
import { schemaOfKind } from '../../worker/resources/schemas.ts';
import { packYaml } from '../../worker/resources/yaml-body.ts';
import bodies from '../worker/resources/fixtures/kubectl-bodies.json' with { type: 'json' };
import type { Parser } from './parser.ts';

export const POD_JSON =
  '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"y"}},"spec":{"containers":[{"name":"c","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1"}}}]}}';

export const JSON_TOKENS = [
  ...['{', '}', '[', ']', ':', ',', '"', '\\', '\u0000', '\n', ' ', '\ud800', '\ufeff'],
  ...['1e999', '-0', '-', '0.', 'null', 'tru', '"a":', '"__proto__":', '"\\u0000"', '{"a":', '[1,', '9007199254740993'],
];

/** 4xx is for the client; 5xx says that we were wrong. */
export const isRefusal = (error: unknown): boolean => error instanceof StatusError && error.code < 500;

/** As the object gets it. */
const sent = (bytes: Uint8Array, contentType: string): Uint8Array =>
  contentType === YAML_TYPE ? new TextEncoder().encode(packYaml(bytes)) : bytes;

const reader = (contentType: string) => (bytes: Uint8Array) => {
  const refusals: unknown[] = [];
  for (const expected of [undefined, { identity: PODS }]) {
    try {
      const { object, duplicates } = decodeBody(sent(bytes, contentType), contentType, expected);
      const schema = schemaOfKind(String(object.apiVersion), String(object.kind));
      if (schema) checkFields(schema, object, { duplicates });
      JSON.stringify(object);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusals.push(error);
    }
  }
  if (refusals.length === 2) throw refusals[0];
};

export const BODIES: Parser[] = [
  {
    name: 'a JSON body',
    seeds: [
      POD_JSON,
      '{"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[]},"status":{"startTime":"2026-01-01T00:00:00Z"}}',
    ],
    tokens: JSON_TOKENS,
    longestBytes: 256 * 1024,
    read: reader(JSON_TYPE),
    refuses: isRefusal,
  },
  {
    name: 'a YAML body',
    seeds: [
      'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {x: y}\nspec:\n  containers:\n  - name: c\n    ports:\n    - containerPort: 80\n',
      'x: &x [1, 2]\nspec:\n  <<: {a: b}\n  containers: *x\n  text: |\n    line\n    line\n',
    ],
    tokens: [
      ...[
        '{',
        '}',
        '[',
        ']',
        ': ',
        ', ',
        '"',
        "'",
        '\n',
        '\n  ',
        '- ',
        '? ',
        '|\n',
        '>-\n ',
        '# ',
        '%YAML 1.1\n',
        '---\n',
        '...\n',
      ],
      ...[
        '&a ',
        '*a ',
        '&a [*a]',
        '!!binary ',
        '!!set ',
        '!<x> ',
        '<<: ',
        '<<: *a',
        '~',
        'yes',
        '0o7',
        '1_000',
        '\t',
        '\r',
        'a: ',
        'a: b\n',
      ],
      ...['"a" ', "'a\n", '\u0085', '\u2028', '@', '`', '\ud800', '__proto__: ', '2026-01-01'],
    ],
    longestBytes: 512 * 1024,
    read: reader(YAML_TYPE),
    refuses: isRefusal,
    mostLong: 2,
  },
  {
    name: 'a protobuf body',
    seeds: Object.values(bodies).map((body) => Uint8Array.from(Buffer.from(body, 'base64'))),
    tokens: ['k8s\u0000', '\n', '\u0012', '\u0008', '\u007f', '\u0001', '\u0000', '\u001a\u0002', '\u000b', '\u000c'],
    longestBytes: 256 * 1024,
    read: reader(PROTOBUF_TYPE),
    refuses: isRefusal,
  },
];
