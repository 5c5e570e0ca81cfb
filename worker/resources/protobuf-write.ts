/**
 * The JSON form written as Kubernetes' protobuf, for clients that accept nothing else: the counterpart of `protobuf.ts`, over
 * the same generated table. Custom resources have no protobuf form.
 * Source: apimachinery, pkg/runtime/serializer/protobuf.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { parseTime } from '../../shared/time.ts';
import { decodeBase64 } from './base64.ts';
import { parseDurationMs } from './cel-values.ts';
import type { JsonObject } from './definition.ts';
import { definition, type Schema, schemaOfKind, type WireField } from './schemas.ts';

const MAGIC = new Uint8Array([0x6b, 0x38, 0x73, 0x00]);
const STATUS = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';

const schemaFor = (apiVersion: string, kind: string): Schema | undefined =>
  apiVersion === 'v1' && kind === 'Status' ? definition(STATUS) : schemaOfKind(apiVersion, kind);

/** Whether there is a wire form of this kind. */
export const hasProtobuf = (apiVersion: string, kind: string): boolean => schemaFor(apiVersion, kind) !== undefined;

/** The whole body: magic, envelope, message. Undefined for a kind without a wire form. */
export function encodeObject(object: JsonObject): Uint8Array | undefined {
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const schema = schemaFor(apiVersion, kind);
  if (schema === undefined) return undefined;
  const writer = new BinaryWriter().raw(MAGIC);
  writer.tag(1, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string(apiVersion);
  writer.tag(2, WireType.LengthDelimited).string(kind);
  writer.join();
  writer.tag(2, WireType.LengthDelimited).bytes(encodeMessage(object, schema));
  // Kubernetes: contentEncoding and contentType, empty, as gogo writes fields that are no pointers.
  writer.tag(3, WireType.LengthDelimited).string('');
  writer.tag(4, WireType.LengthDelimited).string('');
  return writer.finish();
}

/** @param schema of an object of a built-in kind. */
export function encodeMessage(object: JsonObject, schema: Schema): Uint8Array {
  const writer = new BinaryWriter();
  writeFields(writer, object, schema);
  return writer.finish();
}

function writeFields(writer: BinaryWriter, object: JsonObject, schema: Schema): void {
  for (const [number, field] of schema.wire ?? []) writeField(writer, number, field, object);
}

function writeField(writer: BinaryWriter, number: number, field: WireField, object: JsonObject): void {
  const { name, schema } = field;
  if (field.inline) {
    writer.tag(number, WireType.LengthDelimited).fork();
    writeFields(writer, object, schema);
    writer.join();
    return;
  }
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  if (value === undefined || value === null) return;
  if (schema.type === 'map') writeMap(writer, number, value as JsonObject, schema.items);
  else if (schema.type === 'list' && schema.name === '') {
    for (const each of value as unknown[]) writeValue(writer, number, each, schema.items ?? schema);
  } else writeValue(writer, number, value, schema);
}

/** Go writes maps by key, so that equal objects are equal bytes. */
function writeMap(writer: BinaryWriter, number: number, map: JsonObject, items: Schema | undefined): void {
  for (const key of Object.keys(map).sort()) {
    writer.tag(number, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(key);
    if (items !== undefined && map[key] !== null) writeValue(writer, 2, map[key], items);
    writer.join();
  }
}

function writeValue(writer: BinaryWriter, number: number, value: unknown, schema: Schema): void {
  switch (schema.type) {
    case 'string':
      writer.tag(number, WireType.LengthDelimited).string(String(value));
      return;
    case 'bytes':
      writer.tag(number, WireType.LengthDelimited).bytes(decodeBase64(String(value)));
      return;
    case 'boolean':
      writer.tag(number, WireType.Varint).bool(value === true);
      return;
    case 'int32':
      writer.tag(number, WireType.Varint).int32(Number(value));
      return;
    case 'int64':
      writer.tag(number, WireType.Varint).int64(Number(value));
      return;
    case 'double':
      writer.tag(number, WireType.Bit64).double(Number(value));
      return;
    default:
      writer.tag(number, WireType.LengthDelimited).fork();
      writeSpecial(writer, value, schema);
      writer.join();
  }
}

/** Messages whose JSON is not an object of their fields; and those where it is. */
function writeSpecial(writer: BinaryWriter, value: unknown, schema: Schema): void {
  switch (schema.type) {
    case 'object':
      writeFields(writer, value as JsonObject, schema);
      return;
    case 'time':
    case 'microTime':
      writeTime(writer, String(value));
      return;
    case 'quantity':
      writer.tag(1, WireType.LengthDelimited).string(String(value));
      return;
    case 'duration':
      writer.tag(1, WireType.Varint).int64(BigInt(Math.round((parseDurationMs(String(value)) ?? 0) * 1e6)));
      return;
    case 'intOrString':
      writeIntOrString(writer, value);
      return;
    case 'any':
      writer.tag(1, WireType.LengthDelimited).bytes(new TextEncoder().encode(JSON.stringify(value)));
      return;
    case 'list':
      for (const each of value as unknown[]) writer.tag(1, WireType.LengthDelimited).string(String(each));
      return;
    case 'schemaOr':
      writeSchemaOr(writer, value, schema);
      return;
    default:
      throw new Error(`${schema.name} has no wire form`);
  }
}

function writeTime(writer: BinaryWriter, text: string): void {
  const ms = parseTime(text) ?? 0;
  const fraction = /\.(\d{1,9})/.exec(text)?.[1]?.padEnd(9, '0') ?? '0';
  writer.tag(1, WireType.Varint).int64(Math.floor(ms / 1000));
  writer.tag(2, WireType.Varint).int32(Number(fraction));
}

function writeIntOrString(writer: BinaryWriter, value: unknown): void {
  const isText = typeof value === 'string';
  writer.tag(1, WireType.Varint).int64(isText ? 1 : 0);
  writer.tag(2, WireType.Varint).int32(isText ? 0 : Number(value));
  writer.tag(3, WireType.LengthDelimited).string(isText ? value : '');
}

/** JSONSchemaPropsOrBool { allows 1, schema 2 }, …OrArray { schema 1, list 2 }, …OrStringArray { schema 1, strings 2 }. */
function writeSchemaOr(writer: BinaryWriter, value: unknown, schema: Schema): void {
  const items = schema.items ?? schema;
  const orBool = schema.name.endsWith('OrBool');
  if (Array.isArray(value)) {
    for (const each of value) {
      if (typeof each === 'string') writer.tag(2, WireType.LengthDelimited).string(each);
      else writeValue(writer, 2, each, items);
    }
  } else if (typeof value === 'boolean') writer.tag(1, WireType.Varint).bool(value);
  else {
    if (orBool) writer.tag(1, WireType.Varint).bool(true);
    writeValue(writer, orBool ? 2 : 1, value, items);
  }
}
