/** A container's log, line by line, from the engine's json-file. The kubelet's rules about which container are in agent/pods. */
import type { Readable } from 'node:stream';
import { type Frame, framesOf } from './demux.ts';
import { type Engine, openStream } from './engine.ts';
import type { LogOptions } from './runtime.ts';

/** A line without end must not be held without end. */
const LONGEST_LINE_BYTES = 256 * 1024;
const NEWLINE = 10;
/** `2026-11-22T06:15:01.123456789Z `: the engine puts it before every message, and a message is up to 16 KiB of a line. */
const TIMESTAMP_BYTES = 31;

export async function* logLines(
  engine: Engine,
  containerId: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const { Config: config } = await engine.docker.getContainer(containerId).inspect();
  const source = await openStream(engine, {
    method: 'GET',
    path: `/containers/${containerId}/logs`,
    query: {
      stdout: '1',
      stderr: '1',
      follow: options.follow ? '1' : '0',
      timestamps: options.timestamps ? '1' : '0',
      tail: options.tailLines === undefined ? 'all' : String(options.tailLines),
      ...(options.sinceMs === undefined ? {} : { since: (options.sinceMs / 1000).toFixed(9) }),
    },
    abort: signal,
  });
  try {
    if (config.Tty) yield* wholeLines(rawFrames(source), false);
    else yield* wholeLines(framesOf(source), options.timestamps);
  } catch (error) {
    // The reader went away: that is the end of the log, not a failure of it.
    if (!signal.aborted) throw error;
  } finally {
    source.destroy();
  }
}

async function* rawFrames(source: Readable): AsyncGenerator<Frame> {
  for await (const chunk of source) yield { stream: 'stdout', bytes: chunk as Buffer };
}

/** Joins messages until a line is whole; the timestamp of a line's second and later messages is left out. */
export async function* wholeLines(frames: AsyncIterable<Frame>, timestamps: boolean): AsyncGenerator<Frame> {
  const held: Record<Frame['stream'], Buffer[]> = { stdout: [], stderr: [] };
  const take = (stream: Frame['stream']): Frame => ({ stream, bytes: Buffer.concat(held[stream].splice(0)) });
  const heldBytes = (stream: Frame['stream']) => held[stream].reduce((total, part) => total + part.length, 0);
  const insideLine: Record<Frame['stream'], boolean> = { stdout: false, stderr: false };

  for await (const { stream, bytes } of frames) {
    const message = timestamps && insideLine[stream] ? bytes.subarray(TIMESTAMP_BYTES) : bytes;
    const end = message.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      held[stream].push(message.subarray(0, end));
      yield take(stream);
    }
    if (end < message.length) held[stream].push(message.subarray(end));
    insideLine[stream] = end < message.length;
    if (heldBytes(stream) > LONGEST_LINE_BYTES) yield take(stream);
  }
  for (const stream of ['stdout', 'stderr'] as const) if (held[stream].length > 0) yield take(stream);
}
