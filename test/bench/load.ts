/**
 * A bounded load on one address of this machine: so many requests over so many kept-alive connections, and what came of
 * it. Numbers are for ratios within one run; they mean nothing by themselves.
 */
import { type Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';

export interface Call {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface LoadOptions {
  url: string;
  agent: Agent | HttpAgent;
  connections: number;
  requests: number;
  headers?: Record<string, string>;
  make(index: number): Call;
}

export interface LoadResult {
  perSecond: number;
  p50Ms: number;
  /** How long each call took, the shortest first. */
  latenciesMs: number[];
  /** Answers by status code. */
  codes: Record<number, number>;
}

/** One call to its end; the body is read and dropped. */
export function call(
  options: Pick<LoadOptions, 'url' | 'agent' | 'headers'>,
  each: Call,
): Promise<{ code: number; body: string }> {
  const url = new URL(options.url);
  const settings: RequestOptions = {
    host: url.hostname,
    port: url.port,
    method: each.method,
    path: `${url.pathname === '/' ? '' : url.pathname}${each.path}`,
    agent: options.agent,
    headers: {
      ...options.headers,
      ...each.headers,
      ...(each.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(each.body)) }),
    },
  };
  return new Promise((resolve, reject) => {
    const onResponse = (response: IncomingMessage) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('end', () =>
        resolve({ code: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
      );
      response.once('error', reject);
    };
    const made = url.protocol === 'https:' ? httpsRequest(settings, onResponse) : httpRequest(settings, onResponse);
    made.once('error', reject);
    made.end(each.body);
  });
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** So many calls, over so many connections of which each waits for its answer. */
export async function drive(options: {
  connections: number;
  requests: number;
  /** Resolves to the answer's code. @param connection from 0 */
  send(index: number, connection: number): Promise<number>;
}): Promise<LoadResult> {
  let next = 0;
  const latenciesMs: number[] = [];
  const codes: Record<number, number> = {};
  const startedAt = performance.now();
  const worker = async (_: unknown, connection: number) => {
    while (next < options.requests) {
      const index = next++;
      const at = performance.now();
      const code = await options.send(index, connection);
      latenciesMs.push(performance.now() - at);
      codes[code] = (codes[code] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  latenciesMs.sort((a, b) => a - b);
  return {
    perSecond: options.requests / seconds,
    p50Ms: percentile(latenciesMs, 0.5),
    latenciesMs,
    codes,
  };
}

export const load = (options: LoadOptions): Promise<LoadResult> =>
  drive({ ...options, send: async (index) => (await call(options, options.make(index))).code });

/** @throws when any answer was another one than this. */
export function requireAll(what: string, { codes }: LoadResult, code: number): void {
  if (Object.keys(codes).some((each) => each !== String(code))) throw new Error(`${what}: ${JSON.stringify(codes)}`);
}
