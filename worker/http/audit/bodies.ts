/** Bodies of requests and answers as the objects that an audit event shows. What cannot be read is not shown. */
import { mediaTypeOf, PROTOBUF_TYPE } from '../../resources/decode.ts';
import { decodeMessage, openEnvelope, ProtobufError } from '../../resources/protobuf.ts';
import { definition, schemaOfKind } from '../../resources/schemas.ts';
import { parseYaml } from '../../resources/yaml.ts';
import { unpackYaml } from '../../resources/yaml-body.ts';
import { YamlError } from '../../resources/yaml-error.ts';

const STATUS = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';

/** As the Worker sends it to the object. Undefined for what is none: the answer of the request says so. */
export function objectOfBody(bytes: Uint8Array, contentType: string | null): object | undefined {
  return objectOf(bytes, contentType, () => unpackYaml(bytes).value);
}

/** As it goes to the client. */
export function objectOfAnswer(bytes: Uint8Array, contentType: string | null): object | undefined {
  return objectOf(bytes, contentType, (text) => parseYaml(text).value);
}

function objectOf(
  bytes: Uint8Array,
  contentType: string | null,
  ofYaml: (text: string) => unknown,
): object | undefined {
  const type = mediaTypeOf(contentType);
  const ofText = (text: string): unknown => (type.includes('yaml') ? ofYaml(text) : JSON.parse(text));
  try {
    const value = type === PROTOBUF_TYPE ? ofProtobuf(bytes) : ofText(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof YamlError || error instanceof ProtobufError) return undefined;
    throw error;
  }
}

function ofProtobuf(bytes: Uint8Array): object | undefined {
  const { kind, apiVersion, raw } = openEnvelope(bytes);
  const schema = kind === 'Status' ? definition(STATUS) : schemaOfKind(apiVersion, kind);
  return schema === undefined ? undefined : { kind, apiVersion, ...decodeMessage(raw, schema) };
}

type WithMetadata = { metadata?: { managedFields?: unknown }; items?: unknown; rows?: unknown };

/** With or without managedFields: its own, and those of a list's items or a Table's rows. */
export function loggedObject(object: object, omitManagedFields: boolean): object {
  return omitManagedFields ? withoutManagedFields(object) : object;
}

function withoutManagedFields(object: WithMetadata): object {
  const copy = { ...object };
  if (copy.metadata?.managedFields !== undefined) {
    const { managedFields: _, ...metadata } = copy.metadata;
    copy.metadata = metadata;
  }
  if (Array.isArray(copy.items)) copy.items = copy.items.map((each) => withoutManagedFields(each as WithMetadata));
  if (Array.isArray(copy.rows)) {
    copy.rows = (copy.rows as { object?: WithMetadata }[]).map((row) =>
      row.object === undefined || row.object === null ? row : { ...row, object: withoutManagedFields(row.object) },
    );
  }
  return copy;
}
