/**
 * Texts on their way to a client, part by part, each made when the last one has been taken. Nothing is left for the collector, which
 * comes late for buffers, because the heap's size does not show them: strings go through one buffer, and bytes are freed when sent.
 */
const BUFFER_BYTES = 256 * 1024;
/** A text so short needs no such buffer, which would be held as long as its list is on the way. */
const SHORT_TEXT = 4 * 1024;

/** Bytes are given away with their whole buffer. */
export type StreamPart = string | Uint8Array;

type Parts = Iterator<StreamPart> | AsyncIterator<StreamPart>;

export function streamOf(parts: Parts): ReadableStream<Uint8Array> {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  // A client that goes away ends it; there is nobody to tell.
  void send(parts, writer).catch((error) => writer.abort(error).catch(() => undefined));
  return readable;
}

async function send(parts: Parts, writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  const encoder = new TextEncoder();
  let buffer: Uint8Array | undefined;
  for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
    const isShort = typeof next.value === 'string' && next.value.length <= SHORT_TEXT;
    const part = isShort ? encoder.encode(next.value as string) : next.value;
    if (typeof part !== 'string') {
      if (part.byteLength > 0) await writer.write(part);
      (part.buffer as ArrayBuffer).transfer(0);
      continue;
    }
    buffer ??= new Uint8Array(BUFFER_BYTES);
    for (let rest = part; rest !== ''; ) {
      const { read, written } = encoder.encodeInto(rest, buffer);
      // Workers: it has been taken when this resolves, and not before.
      await writer.write(buffer.subarray(0, written));
      rest = rest.slice(read);
    }
  }
  await writer.close();
}
