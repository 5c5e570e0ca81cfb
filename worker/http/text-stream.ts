/**
 * Text on its way to a client, part by part, each made when the last one has been taken. All of it goes through one buffer: a
 * buffer for each part would be garbage that the heap's size does not show, and the collector comes late for.
 */
const BUFFER_BYTES = 256 * 1024;

export function streamOf(parts: Iterator<string> | AsyncIterator<string>): ReadableStream<Uint8Array> {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  // A client that goes away ends it; there is nobody to tell.
  void send(parts, writer).catch((error) => writer.abort(error).catch(() => undefined));
  return readable;
}

async function send(
  parts: Iterator<string> | AsyncIterator<string>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let part = await parts.next(); part.done !== true; part = await parts.next()) {
    for (let rest = part.value; rest !== ''; ) {
      const { read, written } = encoder.encodeInto(rest, buffer);
      // Workers: it has been taken when this resolves, and not before.
      await writer.write(buffer.subarray(0, written));
      rest = rest.slice(read);
    }
  }
  await writer.close();
}
