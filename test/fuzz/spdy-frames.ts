/** SPDY/3.1 as kubectl writes it for port-forward, frame by frame. */
import { constants, deflateSync } from 'node:zlib';

/** SYN_STREAM, whose headers are compressed. */
export function synStream(id: number, headers: Record<string, string>): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(Object.keys(headers).length);
  const texts = Object.entries(headers)
    .flat()
    .map((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(text));
      return Buffer.concat([length, Buffer.from(text)]);
    });
  const compressed = deflateSync(Buffer.concat([count, ...texts]), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
  const fixed = Buffer.alloc(10);
  fixed.writeUInt32BE(id);
  return control(1, Buffer.concat([fixed, compressed]));
}

export const ping = (id: number): Buffer => control(6, Buffer.from([0, 0, 0, id]));
export const reset = (id: number): Buffer => control(3, Buffer.from([0, 0, 0, id, 0, 0, 0, 5]));
export const windowUpdate = (id: number): Buffer => control(9, Buffer.from([0, 0, 0, id, 0, 0, 1, 0]));
export const settings = (): Buffer => control(4, Buffer.from([0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 100]));

export function data(id: number, payload: Buffer, fin = false): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(id);
  head.writeUInt32BE(payload.length, 4);
  head[4] = fin ? 1 : 0;
  return Buffer.concat([head, payload]);
}

function control(type: number, payload: Buffer): Buffer {
  const head = Buffer.from([0x80, 3, 0, type, 0, 0, 0, 0]);
  head.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([head, payload]);
}
