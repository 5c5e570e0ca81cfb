/**
 * PATCH with `application/apply-patch+yaml`, from what the Worker read to the registry: duplicate keys, fields that the schema
 * does not know. What an apply does is `registry/apply.ts`.
 * Source: k8s.io/apiserver/pkg/endpoints/handlers/patch.go, applyPatcher
 */
import { apiVersionOf } from '../../shared/api/meta.ts';
import { badRequest, StatusError } from '../../shared/errors.ts';
import type { JsonMap } from '../registry/apply/typed.ts';
import { applyConfiguration } from '../registry/apply.ts';
import type { Updated } from '../registry/update.ts';
import type { JsonObject, SpecPart } from '../resources/definition.ts';
import { checkFields } from '../resources/fields.ts';
import type { Schema } from '../resources/schemas.ts';
import { unpackYaml } from '../resources/yaml-body.ts';
import { bodyOf, type Exchange, fresh, report, requireCreateRight, storedForm, writing } from './exchange.ts';
import type { FieldValidation, WriteOptions } from './write-options.ts';

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const MAP = 'Go value of type map[string]interface {}';
const nameOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

/** @throws StatusError 400 in the words of sigs.k8s.io/yaml */
function readDocument(bytes: Uint8Array): { value: JsonObject; problems: string[] } {
  const { value, problems, error } = unpackYaml(bytes);
  if (error !== undefined) throw badRequest(`error decoding YAML: error converting YAML to JSON: ${error}`);
  if (isObject(value)) return { value, problems };
  if (value === null) return { value: {}, problems };
  const why = `json: cannot unmarshal ${nameOf(value)} into ${MAP}`;
  throw badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: ${why}`);
}

/** What the manager wants. @throws StatusError 400 for what cannot be read, 500 in upstream's words for unknown fields. */
export async function readConfig(
  exchange: Exchange,
  validation: FieldValidation,
  schema: Schema,
  identity: { group: string; version: string; kind: string },
): Promise<JsonObject> {
  const { info, namespace } = exchange;
  const { value, problems } = readDocument(await bodyOf(exchange));
  for (const field of ['apiVersion', 'kind'] as const) {
    const name = `${field[0]?.toUpperCase()}${field.slice(1)}`;
    if (typeof value[field] !== 'string' || value[field] === '') {
      throw badRequest(`Object '${name}' is missing in the data`);
    }
  }
  const texts = problems.map((problem) => `error converting YAML to JSON: ${problem}`);
  report(exchange, validation, texts, () => badRequest(`error strict decoding YAML: ${texts.join(', ')}`));
  const { unknown } = checkFields(schema, value);
  if (unknown.length > 0) {
    const which = `${namespace === '' ? '' : `${namespace}/`}${info.name}; ${apiVersionOf(identity)}, Kind=${identity.kind}`;
    const lines = unknown.map((path) => `.${path}: field not declared in schema`);
    const what = lines.length === 1 ? lines[0] : `errors:\n${lines.map((line) => `  ${line}`).join('\n')}`;
    // Kubernetes: an error without a reason of its own, and so a 500.
    throw new StatusError(500, '', `failed to create typed patch object (${which}): ${what}`);
  }
  return value;
}

/** An apply of the object itself or of a part of it. */
export async function applyObject(
  exchange: Exchange,
  options: WriteOptions,
  subresource: 'status' | SpecPart | '',
): Promise<Updated> {
  const { served, namespace, info } = exchange;
  const asked = await readConfig(exchange, options.fieldValidation, served.schema, served.identity);
  if (asked.apiVersion !== apiVersionOf(served.identity)) {
    const [given, expected] = [String(asked.apiVersion), apiVersionOf(served.identity)];
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${given}, expected: ${expected}`,
    );
  }
  const config = storedForm(served, asked) as unknown as JsonMap;
  return writing(exchange, options, (session) => {
    const how = { force: options.force === true, subresource };
    const applied = applyConfiguration(session, served.definition, namespace, info.name, fresh(exchange, config), how);
    requireCreateRight(exchange, session, applied.created);
    return applied;
  });
}
