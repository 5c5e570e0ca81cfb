/** exec and attach: stdin, stdout, stderr and resizes of a container, ended with the Status that kubectl expects. */
import { PassThrough } from 'node:stream';
import type { Status } from '../../../shared/api/meta.ts';
import { type AttachHeader, CHANNELS, type ExecHeader } from '../../../shared/tunnel/kinds.ts';
import type { StreamEvents, TunnelStream } from '../../../shared/tunnel/stream.ts';
import type { ExecSession } from '../../runtime/runtime.ts';
import { refuse, type StreamParts, statusOf } from './answer.ts';
import { NodeEnds } from './node-ends.ts';

export function exec(stream: TunnelStream, header: ExecHeader, parts: StreamParts): StreamEvents {
  const { uid, container, command, tty, stdin } = header;
  const begin = () => parts.pods.exec(uid, container, { command, tty, stdin });
  return terminal(stream, header, parts, begin, exitStatus);
}

export function attach(stream: TunnelStream, header: AttachHeader, parts: StreamParts): StreamEvents {
  const { uid, container, tty, stdin } = header;
  // Kubernetes: the exit code of what was attached to is read from the pod's status, not from the stream.
  return terminal(
    stream,
    header,
    parts,
    () => parts.pods.attach(uid, container, { tty, stdin }),
    () => SUCCESS,
  );
}

const SUCCESS: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };

/** As the kubelet's remotecommand server writes it on channel 3. */
export function exitStatus(code: number): Status {
  if (code === 0) return SUCCESS;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
    // Kubernetes: an Outcome of the command, not of the request, so there is no HTTP code.
  };
}

function terminal(
  stream: TunnelStream,
  header: ExecHeader | AttachHeader,
  parts: StreamParts,
  begin: () => Promise<ExecSession>,
  statusAfter: (code: number) => Status,
): StreamEvents {
  let session: ExecSession | undefined;
  let size: { columns: number; rows: number } | undefined;
  /** The client closed: its input is still the command's, and nobody reads the outputs. */
  let left = false;
  const input = new PassThrough();
  const ends = new NodeEnds(stream, ({ error }) => {
    input.end();
    left = header.stdin && error === undefined;
    if (!left) session?.close();
  });
  ends.sink(CHANNELS.stdin, input);

  const resize = (): void => {
    if (session === undefined || size === undefined) return;
    session.resize(size.columns, size.rows).catch((error: unknown) => {
      parts.log.warn({ pod: header.pod, err: error }, 'the terminal could not be resized');
    });
  };

  const run = async (): Promise<void> => {
    session = await begin();
    // The client may have gone while the engine was at work.
    if (stream.closed && !left) {
      session.close();
      return;
    }
    stream.head({ ok: true });
    resize();
    if (session.stdin === undefined) input.resume();
    else {
      const { stdin } = session;
      // A command that does not read its input to the end is no error.
      stdin.on('error', () => input.unpipe(stdin).resume());
      input.pipe(stdin);
    }
    // Docker drops what is left of the input when it cannot write an output, so these are read whoever has left.
    // Together, so that an output that breaks because the client left is nobody's unhandled rejection.
    const [code] = await Promise.all([
      session.ended,
      header.stdout ? ends.sendOrDrain(CHANNELS.stdout, session.stdout) : drain(session.stdout),
      header.stderr && !header.tty ? ends.sendOrDrain(CHANNELS.stderr, session.stderr) : drain(session.stderr),
    ]);
    stream.close({ status: statusAfter(code) });
  };
  run().catch((error: unknown) => {
    if (left) parts.log.warn({ pod: header.pod, err: error }, 'a command that nobody watches broke off');
    else if (session === undefined) refuse(stream, error);
    else stream.close({ status: statusOf(error) });
    session?.close();
  });

  return {
    data: (channel, bytes) => {
      if (channel !== CHANNELS.resize) {
        ends.data(channel, bytes);
        return;
      }
      stream.consumed(bytes.length);
      size = parseSize(bytes) ?? size;
      resize();
    },
    end: (channel) => ends.end(channel),
    writable: () => ends.writable(),
    close: (end) => ends.close(end),
  };
}

/** `{"Width":80,"Height":24}`; anything else changes nothing, as in the kubelet. */
function parseSize(bytes: Uint8Array): { columns: number; rows: number } | undefined {
  try {
    const { Width, Height } = JSON.parse(new TextDecoder().decode(bytes)) as { Width?: unknown; Height?: unknown };
    if (typeof Width !== 'number' || typeof Height !== 'number' || Width < 1 || Height < 1) return undefined;
    return { columns: Width, rows: Height };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function drain(source: NodeJS.ReadableStream): Promise<void> {
  for await (const _ of source);
}
