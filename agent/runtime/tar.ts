/** Writes a tar archive (ustar) in memory: just enough for an image made of a few small files. */

export interface TarEntry {
  /** At most 100 bytes, relative. */
  path: string;
  mode: number;
  content: Buffer;
}

const BLOCK = 512;

export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => [header(entry), entry.content, padding(entry.content.length)]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

const padding = (length: number) => Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK);

function header(entry: TarEntry): Buffer {
  if (Buffer.byteLength(entry.path) > 100) throw new Error(`path too long for a ustar header: ${entry.path}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(entry.path, 0);
  block.write(octal(entry.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(entry.content.length, 11), 124);
  block.write(octal(0, 11), 136); // modification time: the epoch, so that the image is the same everywhere
  block.write('        ', 148); // the checksum counts its own field as spaces
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
