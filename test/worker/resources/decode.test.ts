import { describe, expect, test } from 'vitest';
import { CONFIG_MAPS, PODS } from '../../../shared/api/core.ts';
import { StatusError } from '../../../shared/errors.ts';
import { catalogOf } from '../../../worker/resources/catalog.ts';
import { type DecodedBody, decodeBody, MAX_BODY_BYTES, YAML_TYPE } from '../../../worker/resources/decode.ts';
import { packYaml } from '../../../worker/resources/yaml-body.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** As the object gets it. */
const sent = (text: string, contentType: string | null): Uint8Array =>
  contentType === YAML_TYPE ? bytes(packYaml(bytes(text))) : bytes(text);
const pods = { identity: PODS };

function refusal(text: string, contentType: string | null = 'application/json', expected = pods): StatusError {
  try {
    decodeBody(sent(text, contentType), contentType, expected);
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

const decoded = (text: string, contentType: string | null = 'application/json'): DecodedBody =>
  decodeBody(sent(text, contentType), contentType, { identity: CONFIG_MAPS });

describe('a JSON body', () => {
  test('is read, whatever parameters its media type has, and when it has none', () => {
    for (const contentType of ['application/json', 'Application/JSON; charset=utf-8', null, '']) {
      expect(decoded('{"metadata":{"name":"a"},"data":{"k":"v"}}', contentType).object).toEqual({
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'a' },
        data: { k: 'v' },
      });
    }
  });

  test('keeps a key named __proto__ as data', () => {
    const { object } = decoded('{"data":{"__proto__":"x"}}');
    expect(JSON.stringify(object.data)).toBe('{"__proto__":"x"}');
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });

  test('tells which keys it had twice, and keeps the last, as Go does', () => {
    const body = decoded('{"data":{"k":"1","k":"2"},"metadata":{"ownerReferences":[{},{"uid":"a","uid":"b"}]}}');
    expect(body.duplicates).toEqual(['data.k', 'metadata.ownerReferences[1].uid']);
    expect(body.object.data).toEqual({ k: '2' });
  });

  const unrecognized = 'the object provided is unrecognized (must be of type Pod): ';
  const cannotParse = `${unrecognized}couldn't get version/kind; json parse error: `;
  test.each([
    ['', `${cannotParse}unexpected end of JSON input (<empty>)`],
    ['{', `${cannotParse}unexpected end of JSON input ({)`],
    ['{"a":1,}', `${cannotParse}invalid character '}' looking for beginning of object key string ({"a":1,})`],
    ['{"a" 1}', `${cannotParse}invalid character '1' after object key ({"a" 1})`],
    ['nope', `${cannotParse}invalid character 'o' in literal null (expecting 'u') (6e6f7065)`],
    [
      '{"kind":"Pod","apiVersion":"v1","metadata":{}',
      `${cannotParse}unexpected end of JSON input ({"kind":"Pod","apiVersion":"v1 ...)`,
    ],
    [
      '{"kind":5}',
      `${cannotParse}json: cannot unmarshal number into Go struct field .kind of type string ({"kind":5})`,
    ],
  ])('%j is refused with the apiserver’s words', (text, message) => {
    expect(refusal(text).status).toMatchObject({ message, reason: 'BadRequest', code: 400 });
  });

  test.each([
    [
      'v1',
      'Service',
      'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
    ],
    [
      'apps/v1',
      'Deployment',
      'Deployment in version "v1" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion',
    ],
    [
      'v1',
      'Nope',
      'Nope in version "v1" cannot be handled as a Pod: no kind "Nope" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ],
    [
      'apps/v1',
      'Pod',
      'Pod in version "v1" cannot be handled as a Pod: no kind "Pod" is registered for version "apps/v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ],
  ])('of another kind (%s %s) is refused', (apiVersion, kind, message) => {
    expect(refusal(JSON.stringify({ apiVersion, kind })).message).toBe(message);
  });

  test('of another version of the kind is refused', () => {
    const expected = { identity: { ...PODS, group: 'autoscaling', kind: 'HorizontalPodAutoscaler' } };
    const text = '{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler"}';
    expect(refusal(text, null, expected).message).toBe(
      'the API version in the data (autoscaling/v2) does not match the expected API version (autoscaling/v1)',
    );
  });

  test('nested 100,000 deep is refused early', () => {
    expect(refusal(`{"a":${'['.repeat(100_000)}`).code).toBe(400);
    expect(refusal('{"a":'.repeat(100_000)).code).toBe(400);
  });

  test('over 3 MiB is refused before it is read', () => {
    expect(refusal(`{"a":"${'x'.repeat(MAX_BODY_BYTES)}"}`).status).toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
    });
  });
});

test('a body of another media type is refused, and the right ones named', () => {
  expect(refusal('<a/>', 'application/xml').status).toMatchObject({
    code: 415,
    reason: 'UnsupportedMediaType',
    message:
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  });
});

describe('a YAML body', () => {
  const yaml = YAML_TYPE;

  test('is read as Kubernetes reads YAML: words for flags, times as text, numbers as keys', () => {
    const { object } = decoded('data:\n  a: "yes"\n  1: b\n  t: 2026-01-01T00:00:00Z\nimmutable: yes\n', yaml);
    expect(object).toMatchObject({ data: { a: 'yes', 1: 'b', t: '2026-01-01T00:00:00Z' }, immutable: true });
  });

  test('knows aliases and merge keys', () => {
    const { object } = decoded('x: &x {a: "1"}\ndata:\n  <<: *x\n  b: "2"\n', yaml);
    expect(object.data).toEqual({ a: '1', b: '2' });
  });

  test('reports keys that stand twice, by line', () => {
    expect(decoded('data:\n  k: a\n  k: b\n', yaml).problems).toEqual([
      'yaml: unmarshal errors:\n  line 3: key "k" already set in map',
    ]);
  });

  test('that is JSON is read as JSON, and its keys that stand twice are told as YAML’s', () => {
    expect(decoded(' {"data":{"a":"\\u00e9"}}\n', yaml)).toMatchObject({ object: { data: { a: 'é' } }, problems: [] });
    expect(decoded('{"data":{"a":"1","a":"2"}}', yaml)).toMatchObject({
      object: { data: { a: '2' } },
      duplicates: [],
      problems: ['yaml: unmarshal errors:\n  line 1: key "a" already set in map'],
    });
    expect(decoded('{data: {a: b}}', yaml).object.data).toEqual({ a: 'b' });
  });

  test('that is nothing, or no object, is judged as JSON would be', () => {
    expect(decoded('# nothing\n', yaml).object).toEqual({ kind: 'ConfigMap', apiVersion: 'v1' });
    expect(refusal('- a\n', yaml).message).toMatch(
      /json: cannot unmarshal array into Go value of type struct .* \(2d20610a\)$/,
    );
    expect(refusal('apiVersion: v1\nkind: Service\n', yaml).message).toContain('cannot be handled as a Pod');
  });

  test('has no value in common with another: what aliases share is written out', () => {
    const { object } = decoded('a: &a {b: c}\nd: *a\n', yaml);
    expect(object.a).toEqual(object.d);
    expect(object.a).not.toBe(object.d);
  });

  test('with a syntax error is refused with the line', () => {
    const { message, code } = refusal('metadata:\n  name: a\n bad: b\n', yaml);
    expect(code).toBe(400);
    expect(message).toBe(
      'the object provided is unrecognized (must be of type Pod): yaml: line 3: did not find expected key (6d657461646174613a0a20206e616d653a20610a206261643a20620a)',
    );
  });
});

test('the kind and version that a body leaves out are the URL’s', () => {
  const served = catalogOf().findResource('apps', 'v1', 'deployments');
  expect(decodeBody(bytes('{}'), null, served).object).toEqual({ kind: 'Deployment', apiVersion: 'apps/v1' });
});

test('DeleteOptions may be of any group version, or of none', () => {
  const expected = { identity: { group: '', version: 'v1', kind: 'DeleteOptions' } };
  for (const text of [
    '{"propagationPolicy":"Background"}',
    '{"kind":"DeleteOptions","apiVersion":"apps/v1","propagationPolicy":"Background"}',
  ]) {
    expect(decodeBody(bytes(text), null, expected).object.propagationPolicy).toBe('Background');
  }
});
