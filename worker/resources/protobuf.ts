/**
 * Kubernetes' protobuf form, read into the JSON form: the `k8s\0` envelope and every message of the generated table.
 * Zero values need care: gogo writes fields that are not pointers even when empty, where JSON leaves them out.
 * Source: apimachinery, pkg/runtime/serializer/protobuf.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { encodeBase64 } from './base64.ts';
import type { JsonObject } from './definition.ts';
import { scanJson } from './json-scan.ts';
import { definition, type Schema, type WireField } from './schemas.ts';

export class ProtobufError extends Error {}

/** What the rest of the pipeline, which recurses, accepts. */
const MAX_DEPTH = 200;
const PREFIX = [0x6b, 0x38, 0x73, 0x00];
const UNKNOWN = 'io.k8s.apimachinery.pkg.runtime.Unknown';
/** Go's zero time, as seconds of the epoch: year 1. */
const ZERO_TIME_SECONDS = -62_135_596_800;

/** Plain (not pointer) numbers and flags that JSON leaves out when zero; all others keep an explicit zero. */
const OMITTED_WHEN_ZERO = new Set(
  `hostNetwork hostPID hostIPC stdin stdinOnce tty hostPort readOnly initialDelaySeconds timeoutSeconds periodSeconds
  successThreshold failureThreshold nodePort publishNotReadyAddresses healthCheckNodePort minReadySeconds paused
  observedGeneration generation signal unschedulable count updatedReplicas readyReplicas availableReplicas
  unavailableReplicas fullyLabeledReplicas active succeeded failed nonResourceAttributes denied incomplete`.split(
    /\s+/,
  ),
);

/** Pointers to strings, where '' says something else than nothing. */
const KEPT_WHEN_EMPTY = new Set(['storageClassName', 'volumeName', 'ingressClassName', 'volumeAttributesClassName']);

export const isProtobuf = (bytes: Uint8Array): boolean => PREFIX.every((byte, index) => bytes[index] === byte);

export interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
}

/** @throws ProtobufError */
export function openEnvelope(bytes: Uint8Array): Envelope {
  if (!isProtobuf(bytes)) {
    throw new ProtobufError(
      `provided data does not appear to be a protobuf message, expected prefix [${PREFIX.join(' ')}]`,
    );
  }
  return guarded(() => {
    const reader = new BinaryReader(bytes.subarray(PREFIX.length));
    const envelope: Envelope = { apiVersion: '', kind: '', raw: new Uint8Array() };
    const fields = definition(UNKNOWN).wire;
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      const name = fields?.get(number)?.name;
      if (name === 'typeMeta') {
        const typeMeta = new BinaryReader(reader.bytes());
        while (typeMeta.pos < typeMeta.len) {
          const [part, type] = typeMeta.tag();
          if (part === 1) envelope.apiVersion = typeMeta.string();
          else if (part === 2) envelope.kind = typeMeta.string();
          else typeMeta.skip(type);
        }
      } else if (name === 'raw') envelope.raw = reader.bytes();
      else if (name === 'contentEncoding') {
        const encoding = reader.string();
        if (encoding !== '') throw new ProtobufError(`unsupported content encoding ${JSON.stringify(encoding)}`);
      } else reader.skip(wireType);
    }
    return envelope;
  });
}

/** The message as its JSON form; fields that the table does not know are skipped, as Go does. @throws ProtobufError */
export const decodeMessage = (bytes: Uint8Array, schema: Schema): JsonObject =>
  guarded(() => {
    const object: JsonObject = {};
    readFields(bytes, schema, object, 0);
    return object;
  });

/** The reader's own errors (cut short, bad varint, bad UTF-8) become ours. */
function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtobufError) throw error;
    if (error instanceof RangeError) throw new ProtobufError('unexpected EOF');
    if (error instanceof Error) throw new ProtobufError(`proto: ${error.message}`);
    throw error;
  }
}

function readFields(bytes: Uint8Array, schema: Schema, object: JsonObject, depth: number): void {
  if (depth > MAX_DEPTH) throw new ProtobufError(`nested deeper than ${MAX_DEPTH} levels`);
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = schema.wire?.get(number);
    if (field === undefined) reader.skip(wireType);
    else readField(reader, wireType, field, object, depth);
  }
}

function readField(
  reader: BinaryReader,
  wireType: WireType,
  field: WireField,
  object: JsonObject,
  depth: number,
): void {
  const { name, schema } = field;
  if (field.inline) {
    expect(wireType, WireType.LengthDelimited, name);
    readFields(reader.bytes(), schema, object, depth + 1);
  } else if (schema.type === 'map') {
    expect(wireType, WireType.LengthDelimited, name);
    object[name] ??= {};
    readEntry(reader.bytes(), schema.items, object[name] as JsonObject, depth);
  } else if (schema.type === 'list' && schema.name === '') {
    object[name] ??= [];
    const list = object[name] as unknown[];
    const items = schema.items ?? schema;
    if (wireType === WireType.LengthDelimited && isNumeric(items)) {
      // Kubernetes: never written packed, but a reader must take it.
      const packed = new BinaryReader(reader.bytes());
      while (packed.pos < packed.len) list.push(readScalar(packed, items));
    } else list.push(readValue(reader, wireType, items, name, depth));
  } else {
    const value = readValue(reader, wireType, schema, name, depth);
    if (isLeftOut(name, schema, value)) delete object[name];
    else object[name] = value;
  }
}

const isNumeric = ({ type }: Schema): boolean =>
  type === 'int32' || type === 'int64' || type === 'boolean' || type === 'double';

const isLeftOut = (name: string, schema: Schema, value: unknown): boolean => {
  if (value === undefined || value === null) return true;
  if (schema.type === 'string' || schema.type === 'bytes') return value === '' && !KEPT_WHEN_EMPTY.has(name);
  return (value === 0 || value === false) && OMITTED_WHEN_ZERO.has(name);
};

function expect(actual: WireType, wanted: WireType, name: string): void {
  if (actual !== wanted) throw new ProtobufError(`proto: wrong wireType = ${actual} for field ${name}`);
}

function readEntry(bytes: Uint8Array, items: Schema | undefined, map: JsonObject, depth: number): void {
  const reader = new BinaryReader(bytes);
  let key = '';
  let value: unknown;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1) {
      expect(wireType, WireType.LengthDelimited, 'key');
      key = reader.string();
    } else if (number === 2 && items) value = readValue(reader, wireType, items, 'value', depth);
    else reader.skip(wireType);
  }
  value ??= items?.type === 'string' || items?.type === 'bytes' ? '' : items?.type === 'quantity' ? '0' : {};
  // A key named __proto__ is data here, as any other.
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

const WIRE_TYPES: Partial<Record<Schema['type'], WireType>> = {
  int32: WireType.Varint,
  int64: WireType.Varint,
  boolean: WireType.Varint,
  double: WireType.Bit64,
};

function readValue(reader: BinaryReader, wireType: WireType, schema: Schema, name: string, depth: number): unknown {
  expect(wireType, WIRE_TYPES[schema.type] ?? WireType.LengthDelimited, name);
  if (isNumeric(schema)) return readScalar(reader, schema);
  if (schema.type === 'string') return reader.string(true);
  if (schema.type === 'bytes') return encodeBase64(reader.bytes());
  return readSpecial(reader.bytes(), schema, depth);
}

function readScalar(reader: BinaryReader, { type }: Schema): unknown {
  if (type === 'boolean') return reader.bool();
  if (type === 'int32') return reader.int32();
  if (type === 'int64') return Number(reader.int64());
  return reader.double();
}

/** Messages whose JSON is not an object of their fields; and those where it is. */
function readSpecial(bytes: Uint8Array, schema: Schema, depth: number): unknown {
  switch (schema.type) {
    case 'object': {
      const object: JsonObject = {};
      readFields(bytes, schema, object, depth + 1);
      return object;
    }
    case 'time':
      return readTime(bytes, 0);
    case 'microTime':
      return readTime(bytes, 6);
    case 'quantity':
      return String(plainFields(bytes).get(1) ?? '0') || '0';
    case 'duration':
      return formatDuration(Number(plainFields(bytes).get(1) ?? 0));
    case 'intOrString': {
      const fields = plainFields(bytes);
      return Number(fields.get(1) ?? 0) === 1 ? String(fields.get(3) ?? '') : Number(fields.get(2) ?? 0) | 0;
    }
    case 'any':
      return readRaw(bytes);
    case 'list':
      return readStrings(bytes);
    case 'schemaOr':
      return readSchemaOr(bytes, schema, depth);
    default:
      throw new ProtobufError(`proto: ${schema.name} has no wire form`);
  }
}

/** Numbers as numbers, length-delimited fields as text. */
function plainFields(bytes: Uint8Array): Map<number, number | string> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, number | string>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.Varint) fields.set(number, Number(reader.int64()));
    else if (wireType === WireType.LengthDelimited) fields.set(number, reader.string());
    else reader.skip(wireType);
  }
  return fields;
}

function readTime(bytes: Uint8Array, digits: number): string | undefined {
  const fields = plainFields(bytes);
  const seconds = fields.get(1);
  if (seconds === undefined || seconds === ZERO_TIME_SECONDS) return undefined;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) throw new ProtobufError('proto: time out of range');
  const whole = date.toISOString().slice(0, -5);
  if (digits === 0) return `${whole}Z`;
  const nanos = Math.min(999_999_999, Math.max(0, Number(fields.get(2) ?? 0)));
  return `${whole}.${String(nanos).padStart(9, '0').slice(0, digits)}Z`;
}

function readRaw(bytes: Uint8Array): unknown {
  const reader = new BinaryReader(bytes);
  let raw: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === WireType.LengthDelimited) raw = reader.bytes();
    else reader.skip(wireType);
  }
  if (raw === undefined || raw.length === 0) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(raw);
    // Reads it without recursion: what nests too deeply must not reach what recurses.
    scanJson(text);
    return JSON.parse(text);
  } catch (error) {
    throw new ProtobufError(`embedded JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readStrings(bytes: Uint8Array): string[] {
  const reader = new BinaryReader(bytes);
  const strings: string[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === WireType.LengthDelimited) strings.push(reader.string());
    else reader.skip(wireType);
  }
  return strings;
}

/** JSONSchemaPropsOrBool { allows 1, schema 2 }, …OrArray { schema 1, list 2 }, …OrStringArray { schema 1, strings 2 }. */
function readSchemaOr(bytes: Uint8Array, schema: Schema, depth: number): unknown {
  const items = schema.items ?? schema;
  const orBool = schema.name.endsWith('OrBool');
  const orStrings = schema.name.endsWith('OrStringArray');
  const schemaNumber = orBool ? 2 : 1;
  const reader = new BinaryReader(bytes);
  const list: unknown[] = [];
  let single: unknown;
  let allows = false;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (orBool && number === 1 && wireType === WireType.Varint) allows = reader.bool();
    else if (wireType !== WireType.LengthDelimited) reader.skip(wireType);
    else if (number === schemaNumber) single = readSpecial(reader.bytes(), items, depth);
    else if (number === 2) list.push(orStrings ? reader.string() : readSpecial(reader.bytes(), items, depth));
    else reader.skip(wireType);
  }
  return single ?? (orBool ? allows : list);
}

/** As Go's time.Duration prints: `1h0m0s`, `1.5s`, `100ms`. */
function formatDuration(nanos: number): string {
  if (nanos === 0) return '0s';
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  if (size < 1e9) {
    const [unit, name] = size < 1e3 ? [1, 'ns'] : size < 1e6 ? [1e3, 'µs'] : [1e6, 'ms'];
    return `${sign}${size / (unit as number)}${name}`;
  }
  const hours = Math.floor(size / 3.6e12);
  const minutes = Math.floor((size % 3.6e12) / 6e10);
  const seconds = (size % 6e10) / 1e9;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}
