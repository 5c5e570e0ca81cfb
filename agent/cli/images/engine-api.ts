/**
 * The few calls of the Docker API that the command line makes itself: which images an engine has or can get, taking one in
 * from an archive, removing what was made. Running containers is `agent/runtime`.
 * Source: https://docs.docker.com/reference/api/engine/
 */
import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';

export interface EngineAnswer {
  status: number;
  body: string;
}

export interface EngineApi {
  call(method: string, path: string, options?: { body?: Readable; signal?: AbortSignal }): Promise<EngineAnswer>;
}

export function engineApi(socketPath: string): EngineApi {
  return {
    call: async (method, path, { body, signal } = {}) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/x-tar' };
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = request({ socketPath, method, path, headers, signal }, resolve);
        sent.once('error', reject);
        if (body === undefined) sent.end();
        else {
          body.once('error', (error) => sent.destroy(error));
          body.pipe(sent);
        }
      });
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      return { status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') };
    },
  };
}

export async function hasImage(engine: EngineApi, reference: string): Promise<boolean> {
  const { status, body } = await engine.call('GET', `/images/${encodeURIComponent(reference)}/json`);
  if (status === 200) return true;
  if (status === 404) return false;
  throw new Error(`the Docker engine answered ${status} about image ${reference}: ${body}`);
}

/** An engine waits long for a registry that does not answer; an example does not. */
const REGISTRY_DEADLINE_MS = 6_000;

/**
 * Whether the engine, by its own configuration (mirrors, proxies, credentials), can get an image from its registry.
 * @returns undefined when it can, else why not
 */
export async function whyNotPullable(engine: EngineApi, reference: string): Promise<string | undefined> {
  const signal = AbortSignal.timeout(REGISTRY_DEADLINE_MS);
  try {
    const { status, body } = await engine.call('GET', `/distribution/${reference}/json`, { signal });
    return status === 200 ? undefined : messageIn(body);
  } catch (error) {
    if (signal.aborted) return `the registry did not answer within ${REGISTRY_DEADLINE_MS / 1000} s`;
    throw error;
  }
}

/** The engine's words for what went wrong. */
function messageIn(body: string): string {
  if (!body.trimStart().startsWith('{')) return body.trim();
  return (JSON.parse(body) as { message?: string }).message ?? body.trim();
}

/** Takes in a root file system as an image. @param changes Dockerfile instructions, as `docker import --change` takes them */
export async function importImage(
  engine: EngineApi,
  reference: string,
  archive: Readable,
  changes: readonly string[],
): Promise<void> {
  const colon = reference.lastIndexOf(':');
  const query = new URLSearchParams({ fromSrc: '-', repo: reference.slice(0, colon), tag: reference.slice(colon + 1) });
  for (const change of changes) query.append('changes', change);
  const { status, body } = await engine.call('POST', `/images/create?${query}`, { body: archive });
  // The engine reports progress as it goes, and a failure in the middle of a 200.
  if (status !== 200 || body.includes('"errorDetail"')) {
    throw new Error(`the Docker engine did not take image ${reference}: ${body.trim()}`);
  }
}
