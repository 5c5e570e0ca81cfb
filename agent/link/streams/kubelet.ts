/** A request to the minion itself, on a stream of kind `http`: answered from `agent/node`, never sent anywhere. */
import type { HttpHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import { refuse, type StreamParts } from './answer.ts';
import { NodeEnds } from './node-ends.ts';

export function kubelet(stream: TunnelStream, { method, path }: HttpHeader, parts: StreamParts): StreamEvents {
  const ends = new NodeEnds(stream, () => undefined);
  const run = async (): Promise<void> => {
    const { status, contentType, body } = await parts.endpoints(method, path);
    const bytes = Buffer.from(method === 'HEAD' ? '' : body);
    const headers: [string, string][] = [
      ['Content-Type', contentType],
      ['Content-Length', String(Buffer.byteLength(body))],
    ];
    stream.head({ ok: true, http: { status, statusText: '', headers } });
    if (bytes.length > 0) await ends.write(0, bytes);
    stream.end(0);
    stream.close();
  };
  run().catch((error: unknown) => refuse(stream, error));
  return ends;
}
