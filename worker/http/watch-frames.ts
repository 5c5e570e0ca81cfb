/**
 * A watch's events as they go over the client's connection. Events come from the Cluster object as JSON lines, in bytes,
 * that all watchers share; whoever takes protobuf alone gets them turned here, in the Worker, at no cost to the object.
 * Source: apimachinery, pkg/util/framer and pkg/runtime/serializer/protobuf
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { PROTOBUF_TYPE } from '../resources/decode.ts';
import type { JsonObject } from '../resources/definition.ts';
import { encodeObject } from '../resources/protobuf-write.ts';

export interface WatchFrames {
  contentType: string;
  /** One event of a WebSocket, which frames by itself. */
  message(line: string): string | Uint8Array;
  /** All that one message of the object holds, as bytes of a stream. */
  bytes(message: Uint8Array): Uint8Array;
  /** What says nothing, to see whether the client is still there; undefined: there is no such thing. */
  nothing: Uint8Array | undefined;
}

const decoder = new TextDecoder();

/** The events of one message of the object, each of which a newline ends. */
export const linesOf = (message: Uint8Array): string[] => decoder.decode(message).split('\n').slice(0, -1);

const JSON_FRAMES: WatchFrames = {
  contentType: 'application/json',
  message: (line) => line,
  // As they are.
  bytes: (message) => message,
  nothing: new TextEncoder().encode('\n'),
};

export const PROTOBUF_WATCH_TYPE = `${PROTOBUF_TYPE};stream=watch`;

const PROTOBUF_FRAMES: WatchFrames = {
  contentType: PROTOBUF_WATCH_TYPE,
  message: encodeEvent,
  bytes: (message) => joined(linesOf(message).map((line) => framed(encodeEvent(line)))),
  nothing: undefined,
};

/** @param contentType what the object answered that it will be. */
export const framesOf = (contentType: string | null): WatchFrames =>
  contentType === PROTOBUF_WATCH_TYPE ? PROTOBUF_FRAMES : JSON_FRAMES;

/** meta/v1 WatchEvent { type 1, object 2: RawExtension { raw 1 } }, without an envelope; the object in it has one. */
function encodeEvent(line: string): Uint8Array {
  const { type, object } = JSON.parse(line) as { type: string; object: JsonObject };
  const bytes = encodeObject(object);
  if (bytes === undefined) throw new Error(`${String(object.kind)} has no wire form`);
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(type);
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).bytes(bytes);
  return writer.join().finish();
}

const LENGTH_BYTES = 4;

/** A big-endian length of four bytes, then the message. */
function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, LENGTH_BYTES);
  return frame;
}

/** One part as it is, several as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
