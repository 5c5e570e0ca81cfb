/**
 * A request's body, from bytes to an object with apiVersion and kind: JSON, YAML or protobuf by its media type, checked
 * against the kind that the URL asks for. Whether its fields are known and right is `fields.ts`.
 * Source: apimachinery, pkg/runtime/serializer; apiserver, pkg/endpoints/handlers transformDecodeError.
 */
import { apiVersionOf, type Identity } from '../../shared/api/meta.ts';
import { badRequest, type StatusError, tooLarge, unsupportedMediaType } from '../../shared/errors.ts';
import { summaryOf } from './body-summary.ts';
import type { JsonObject } from './definition.ts';
import { JsonSyntaxError, scanJson } from './json-scan.ts';
import { decodeMessage, openEnvelope, ProtobufError } from './protobuf.ts';
import { definition, type Schema, schemaOfKind } from './schemas.ts';
import { unpackYaml } from './yaml-body.ts';

export const JSON_TYPE = 'application/json';
export const YAML_TYPE = 'application/yaml';
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';
export const BODY_TYPES: readonly string[] = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE];
/** As the apiserver's limit on a request's body. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
/** Kinds that every group version has; their apiVersion says nothing. */
const EVERYWHERE = new Set([
  'DeleteOptions',
  'CreateOptions',
  'UpdateOptions',
  'PatchOptions',
  'ListOptions',
  'GetOptions',
]);
const SCHEME = 'pkg/api/legacyscheme/scheme.go:30';
const TYPE_META =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

export interface DecodedBody {
  object: JsonObject;
  /** Paths of keys that JSON had more than once; give them to `checkFields`. The last value won, as in Go. */
  duplicates: string[];
  /** Strict problems already worded (YAML's duplicate keys); they stand before those of `checkFields`. */
  problems: string[];
}

/** What the URL asks for; a ServedResource of the catalog is one. */
export interface ExpectedKind {
  identity: Pick<Identity, 'group' | 'version' | 'kind'>;
}

function unrecognized(expected: ExpectedKind | undefined, why: string, summary: () => string): StatusError {
  if (expected === undefined) return badRequest(why);
  const kind = expected.identity.kind;
  return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${summary()})`);
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const goKindOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

/** The part of a media type before its parameters, lower case; JSON when there is none. */
export const mediaTypeOf = (contentType: string | null): string =>
  (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() || JSON_TYPE;

function textOf(bytes: Uint8Array): string {
  // Kubernetes: bytes that are no UTF-8 become the replacement character, in values; nothing is refused for it.
  return new TextDecoder().decode(bytes);
}

type ParsedBody = Omit<DecodedBody, 'object'> & { value: unknown };

function parseJson(bytes: Uint8Array): ParsedBody {
  const text = textOf(bytes);
  const { duplicates } = scanJson(text);
  return { value: JSON.parse(text) as unknown, duplicates, problems: [] };
}

/** Schema of a kind that can stand in a body, served as a resource or not. */
function wireSchemaOf(apiVersion: string, kind: string): Schema | undefined {
  return EVERYWHERE.has(kind) ? definition(META + kind) : schemaOfKind(apiVersion, kind);
}

const notRegistered = (apiVersion: string, kind: string): string =>
  `no kind "${kind}" is registered for version "${apiVersion}" in scheme "${SCHEME}"`;

/** The kind's name as Go prints it: `v1.Pod`, and `core.Pod` without a version. */
const goName = (schema: Schema, internal: boolean): string => {
  const parts = schema.name.split('.');
  return `${parts.at(internal ? -3 : -2)}.${parts.at(-1)}`;
};

function checkKind(apiVersion: string, kind: string, expected: ExpectedKind): void {
  const { identity } = expected;
  const wanted = apiVersionOf(identity);
  if (kind === identity.kind && (apiVersion === wanted || EVERYWHERE.has(kind))) return;
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const refuse = (why: string) =>
    badRequest(`${kind} in version "${version}" cannot be handled as a ${identity.kind}: ${why}`);
  const schema = wireSchemaOf(apiVersion, kind);
  const target = wireSchemaOf(wanted, identity.kind);
  if (kind === identity.kind && (schema !== undefined || target === undefined)) {
    const why = `the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`;
    throw badRequest(why);
  }
  if (schema === undefined) throw refuse(notRegistered(apiVersion, kind));
  if (target === undefined) throw refuse(`the kind in the data does not match the expected kind (${identity.kind})`);
  throw refuse(`converting (${goName(schema, false)}) to (${goName(target, true)}): unknown conversion`);
}

function decodeProtobuf(bytes: Uint8Array, expected: ExpectedKind | undefined): DecodedBody {
  const envelope = openEnvelope(bytes);
  const kind = envelope.kind || (expected?.identity.kind ?? '');
  const apiVersion = envelope.apiVersion || (expected ? apiVersionOf(expected.identity) : '');
  if (expected) checkKind(apiVersion, kind, expected);
  const schema = wireSchemaOf(apiVersion, kind);
  if (schema === undefined) throw new ProtobufError(notRegistered(apiVersion, kind));
  const object = { kind, apiVersion, ...decodeMessage(envelope.raw, schema) };
  return { object, duplicates: [], problems: [] };
}

/**
 * @param bytes as the client sent them; of YAML, what `packYaml` made of them.
 * @param expected fills in apiVersion and kind where the body has none, and is what the body must be.
 * @throws StatusError 400 for what cannot be read or is another kind, 413 over MAX_BODY_BYTES, 415 for other media types.
 */
export function decodeBody(bytes: Uint8Array, contentType: string | null, expected?: ExpectedKind): DecodedBody {
  const mediaType = mediaTypeOf(contentType);
  if (!BODY_TYPES.includes(mediaType)) throw unsupportedMediaType(BODY_TYPES);
  if (mediaType === YAML_TYPE) {
    const { error, value, problems, ...rest } = unpackYaml(bytes);
    const summary = () => rest.summary;
    if (error !== undefined) throw unrecognized(expected, error, summary);
    return typed({ value, problems, duplicates: [] }, expected, summary);
  }
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);
  const summary = () => summaryOf(bytes);
  try {
    return mediaType === PROTOBUF_TYPE ? decodeProtobuf(bytes, expected) : typed(parseJson(bytes), expected, summary);
  } catch (error) {
    if (error instanceof ProtobufError) throw unrecognized(expected, error.message, summary);
    if (error instanceof JsonSyntaxError) {
      throw unrecognized(expected, `couldn't get version/kind; json parse error: ${error.message}`, summary);
    }
    throw error;
  }
}

function typed(parsed: ParsedBody, expected: ExpectedKind | undefined, summary: () => string): DecodedBody {
  const { value, duplicates, problems } = parsed;
  const unmarshal = (what: string) =>
    unrecognized(expected, `couldn't get version/kind; json parse error: json: cannot unmarshal ${what}`, summary);
  if (value !== null && !isObject(value)) throw unmarshal(`${goKindOf(value)} into Go value of type ${TYPE_META}`);
  const object = value ?? {};
  for (const field of ['apiVersion', 'kind']) {
    const given = object[field] ?? '';
    if (typeof given !== 'string') throw unmarshal(`${goKindOf(given)} into Go struct field .${field} of type string`);
  }
  const kind = (object.kind as string | null) || expected?.identity.kind;
  const apiVersion = (object.apiVersion as string | null) || (expected && apiVersionOf(expected.identity));
  if (!kind) throw unrecognized(expected, "Object 'Kind' is missing in the data", summary);
  if (expected) checkKind(apiVersion ?? '', kind, expected);
  const typeMeta = { kind, apiVersion: apiVersion ?? '' };
  return { object: { ...typeMeta, ...object, ...typeMeta }, duplicates, problems };
}
