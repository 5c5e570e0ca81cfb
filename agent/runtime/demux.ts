/**
 * The engine's framing of two outputs on one stream (a header of eight bytes: 1 stdout or 2 stderr, three zeros, length),
 * taken apart without reading ahead: a frame is asked for when the one before it has been taken.
 */
import type { Readable } from 'node:stream';

export interface Frame {
  stream: 'stdout' | 'stderr';
  bytes: Buffer;
}

const HEADER_BYTES = 8;
/** Larger frames come in parts. The engine's own are at most 16 KiB of a log, 32 KiB of an output. */
const PART_BYTES = 64 * 1024;

/** @throws when the bytes are not framed: the stream is a terminal's, or cut. */
export async function* framesOf(source: Readable): AsyncGenerator<Frame> {
  let pending: Buffer = Buffer.alloc(0);
  let stream: Frame['stream'] = 'stdout';
  let remaining = 0;
  for await (const chunk of source) {
    pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer]);
    for (;;) {
      if (remaining === 0) {
        if (pending.length < HEADER_BYTES) break;
        stream = streamOf(pending);
        remaining = pending.readUInt32BE(4);
        pending = pending.subarray(HEADER_BYTES);
        continue;
      }
      // A frame is whole unless it is larger than what we are ready to hold.
      if (pending.length < Math.min(remaining, PART_BYTES)) break;
      const bytes = pending.subarray(0, remaining);
      pending = pending.subarray(bytes.length);
      remaining -= bytes.length;
      yield { stream, bytes };
    }
  }
  if (pending.length > 0 && remaining > 0) yield { stream, bytes: pending };
}

function streamOf(header: Buffer): Frame['stream'] {
  if (header[0] === 1 || header[0] === 0) return 'stdout';
  if (header[0] === 2) return 'stderr';
  throw new Error(`not a framed output: it begins with the byte ${header[0]}`);
}
