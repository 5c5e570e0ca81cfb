/**
 * An OpenAPI v2 document as the protobuf message that client-go asks for. The document is made once, as for JSON
 * (`openapi.ts`); here stands which field of which message each member is. Members without a field are left out.
 * Source: gnostic, openapiv2/OpenAPIv2.proto
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

type Members = { [key: string]: unknown };
type Write = (writer: BinaryWriter, number: number, value: unknown) => void;
/** By the member's name in the document. */
type Message = Record<string, [number: number, write: Write]>;

const text: Write = (writer, number, value) => void writer.tag(number, WireType.LengthDelimited).string(String(value));
const flag: Write = (writer, number, value) => void writer.tag(number, WireType.Varint).bool(value === true);
const whole: Write = (writer, number, value) => void writer.tag(number, WireType.Varint).int64(Number(value));
const double: Write = (writer, number, value) => void writer.tag(number, WireType.Bit64).double(Number(value));

const each =
  (write: Write): Write =>
  (writer, number, value) => {
    for (const item of value as unknown[]) write(writer, number, item);
  };

/** A message whose content `write` writes. */
const nested =
  (write: (writer: BinaryWriter, value: unknown) => void): Write =>
  (writer, number, value) => {
    writer.tag(number, WireType.LengthDelimited).fork();
    write(writer, value);
    writer.join();
  };

/** Any { yaml 2 }: JSON is YAML. */
const any: Write = nested((writer, value) => text(writer, 2, `${JSON.stringify(value)}\n`));

/** Named… { name 1, value 2 }, once for each member. */
const named =
  (write: Write): Write =>
  (writer, number, value) => {
    for (const [name, member] of Object.entries(value as Members)) {
      writer.tag(number, WireType.LengthDelimited).fork();
      text(writer, 1, name);
      write(writer, 2, member);
      writer.join();
    }
  };

/** A message that is nothing but a list of named values, in field 1. */
const map = (write: Write): Write => nested((writer, value) => named(write)(writer, 1, value));

/** @param extensions the number of `vendor_extension`. */
const message = (fields: () => Message, extensions?: number): Write =>
  nested((writer, value) => {
    const known = fields();
    for (const [name, member] of Object.entries(value as Members)) {
      if (name.startsWith('x-')) {
        if (extensions !== undefined) named(any)(writer, extensions, { [name]: member });
      } else if (Object.hasOwn(known, name) && member !== undefined) {
        const [number, write] = known[name] as Message[string];
        write(writer, number, member);
      }
    }
  });

const typeItem: Write = nested((writer, value) => each(text)(writer, 1, Array.isArray(value) ? value : [value]));
const itemsItem: Write = nested((writer, value) => each(schema)(writer, 1, Array.isArray(value) ? value : [value]));
const additionalProperties: Write = nested((writer, value) =>
  typeof value === 'boolean' ? flag(writer, 2, value) : schema(writer, 1, value),
);

const schema: Write = message(() => SCHEMA, 31);
const externalDocs: Write = message(() => ({ description: [1, text], url: [2, text] }), 3);
const SCHEMA: Message = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, any],
  multipleOf: [6, double],
  maximum: [7, double],
  exclusiveMaximum: [8, flag],
  minimum: [9, double],
  exclusiveMinimum: [10, flag],
  maxLength: [11, whole],
  minLength: [12, whole],
  pattern: [13, text],
  maxItems: [14, whole],
  minItems: [15, whole],
  uniqueItems: [16, flag],
  maxProperties: [17, whole],
  minProperties: [18, whole],
  required: [19, each(text)],
  enum: [20, each(any)],
  additionalProperties: [21, additionalProperties],
  type: [22, typeItem],
  items: [23, itemsItem],
  properties: [25, map(schema)],
  externalDocs: [29, externalDocs],
  example: [30, any],
};

const BODY_PARAMETER: Message = {
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, flag],
  schema: [5, schema],
};
const QUERY_PARAMETER: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [6, text],
  uniqueItems: [20, flag],
};
const PATH_PARAMETER: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [5, text],
  uniqueItems: [19, flag],
};
const bodyParameter = message(() => BODY_PARAMETER, 6);
const queryParameter = message(() => QUERY_PARAMETER, 23);
const pathParameter = message(() => PATH_PARAMETER, 22);

/** ParametersItem { parameter 1 { body_parameter 1, non_body_parameter 2 { query 3, path 4 } } } */
const parameter: Write = nested((writer, value) =>
  nested((inner) => {
    const place = (value as Members).in;
    if (place === 'body') bodyParameter(inner, 1, value);
    else if (place === 'query') nested((query) => queryParameter(query, 3, value))(inner, 2, value);
    else if (place === 'path') nested((path) => pathParameter(path, 4, value))(inner, 2, value);
    else throw new Error(`no form for a parameter in ${String(place)}`);
  })(writer, 1, value),
);

/** ResponseValue { response 1 { description 1, schema 2 { schema 1 } } } */
const RESPONSE: Message = {
  description: [1, text],
  schema: [2, nested((writer, value) => schema(writer, 1, value))],
};
const innerResponse = message(() => RESPONSE, 5);
const response: Write = nested((writer, value) => innerResponse(writer, 1, value));

/** SecurityRequirement, a list of named string lists. */
const securityRequirement: Write = map(nested((writer, value) => each(text)(writer, 1, value)));

const OPERATION: Message = {
  tags: [1, each(text)],
  summary: [2, text],
  description: [3, text],
  operationId: [5, text],
  produces: [6, each(text)],
  consumes: [7, each(text)],
  parameters: [8, each(parameter)],
  responses: [9, map(response)],
  schemes: [10, each(text)],
  deprecated: [11, flag],
  security: [12, each(securityRequirement)],
};
const operation = message(() => OPERATION, 13);

const PATH_ITEM: Message = {
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  options: [6, operation],
  head: [7, operation],
  patch: [8, operation],
  parameters: [9, each(parameter)],
};
const pathItem = message(() => PATH_ITEM, 10);

const API_KEY: Message = { type: [1, text], name: [2, text], in: [3, text], description: [4, text] };
const apiKey = message(() => API_KEY, 5);
const INFO: Message = { title: [1, text], version: [2, text], description: [3, text] };

const DOCUMENT: Message = {
  swagger: [1, text],
  info: [2, message(() => INFO, 7)],
  // Paths { path 2 }
  paths: [8, nested((writer, value) => named(pathItem)(writer, 2, value))],
  definitions: [9, map(schema)],
  security: [12, each(securityRequirement)],
  // SecurityDefinitionsItem { api_key_security 2 }
  securityDefinitions: [13, map(nested((writer, value) => apiKey(writer, 2, value)))],
};

/** @param document as JSON would show it. */
export function encodeDocumentV2(document: object): Uint8Array {
  const writer = new BinaryWriter();
  for (const [name, member] of Object.entries(document)) {
    const field = Object.hasOwn(DOCUMENT, name) ? DOCUMENT[name] : undefined;
    if (field === undefined) throw new Error(`the document’s ${name} has no form`);
    field[1](writer, field[0], member);
  }
  return writer.finish();
}
