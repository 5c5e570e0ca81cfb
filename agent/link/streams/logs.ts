/** A container's log on channel 0, ended when the log ends or the reader leaves. */
import type { LogsHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import { refuse, type StreamParts } from './answer.ts';
import { NodeEnds } from './node-ends.ts';

/** A followed log that is silent is answered after this: only an error that comes at once can still become a Status. */
const HEAD_DELAY_MS = 200;

export function logs(stream: TunnelStream, header: LogsHeader, parts: StreamParts): StreamEvents {
  const leaving = new AbortController();
  const ends = new NodeEnds(stream, () => leaving.abort());
  const { uid, container, follow, previous, timestamps, tailLines, limitBytes, sinceMs } = header;
  let answered = false;
  const answer = () => {
    answered = true;
    stream.head({ ok: true });
  };
  const timer = follow ? setTimeout(answer, HEAD_DELAY_MS) : undefined;
  const run = async (): Promise<void> => {
    const query = { container, follow, previous, timestamps, tailLines, limitBytes, sinceMs };
    for await (const chunk of parts.pods.logs(uid, query, leaving.signal)) {
      if (!answered) answer();
      await ends.write(0, chunk);
      if (stream.closed) return;
    }
    if (!answered) answer();
    stream.end(0);
    stream.close();
  };
  run()
    .catch((error: unknown) => {
      if (stream.closed) return;
      if (answered) stream.close({ error: error instanceof Error ? error.message : String(error) });
      else refuse(stream, error);
    })
    .finally(() => clearTimeout(timer));
  return ends;
}
