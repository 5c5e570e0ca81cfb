/** What a container said when it ended: its termination log, or the end of its output where the spec asks for that. */
import { open } from 'node:fs/promises';
import type { ObservedContainer } from '../runtime/runtime.ts';
import type { PodContext } from './pod-context.ts';

const MOST_BYTES = 4096;
const MOST_FALLBACK_BYTES = 2048;
const MOST_FALLBACK_LINES = 80;

export async function terminationMessageOf(context: PodContext, container: ObservedContainer): Promise<string> {
  const { containers, initContainers = [], ephemeralContainers = [] } = context.pod().spec;
  const spec = [...containers, ...initContainers, ...ephemeralContainers].find((each) => each.name === container.name);
  if (container.kind === 'sandbox' || spec === undefined || context.memory.messages.has(container.id)) return '';
  const message = await readStart(context.files.terminationLog(container.name, container.attempt));
  if (message !== '' || spec.terminationMessagePolicy !== 'FallbackToLogsOnError' || container.exitCode === 0)
    return message;
  return lastLines(context, container.id);
}

async function readStart(path: string): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MOST_BYTES), position: 0 });
    return buffer.subarray(0, bytesRead).toString();
  } catch (error) {
    // A container of an earlier life of the pod's folder.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

async function lastLines({ parts }: PodContext, containerId: string): Promise<string> {
  const options = { follow: false, timestamps: false, tailLines: MOST_FALLBACK_LINES };
  let text = '';
  for await (const { bytes } of parts.runtime.logs(containerId, options, new AbortController().signal))
    text = (text + Buffer.from(bytes).toString()).slice(-MOST_FALLBACK_BYTES);
  return text;
}
