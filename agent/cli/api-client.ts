/**
 * The command line's own client of the API, over HTTPS with the cluster's CA: kubectl need not be installed. It knows
 * requests, JSON and watches, nothing of particular resources.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import type { KubeObject, Status } from '../../shared/api/meta.ts';

export interface ApiClientOptions {
  /** Base URL, without a trailing slash; a path is kept. */
  url: string;
  /** PEM; undefined: the system's authorities. */
  ca?: string;
  token?: string;
}

export interface ApiAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

export interface WatchEvent<T extends KubeObject = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

/** An answer that is no success, with the Status's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(method: string, path: string, answer: ApiAnswer) {
    const text = answer.body.toString('utf8');
    let reason = '';
    let message = text.slice(0, 500);
    if (answer.headers['content-type']?.startsWith('application/json')) {
      const status = JSON.parse(text) as Partial<Status>;
      reason = status.reason ?? '';
      message = status.message ?? message;
    }
    super(`${method} ${path}: ${answer.status} ${message}`);
    this.status = answer.status;
    this.reason = reason;
  }
}

export class ApiClient {
  readonly options: ApiClientOptions;
  readonly #agent: Agent | undefined;

  constructor(options: ApiClientOptions) {
    this.options = options;
    this.#agent = options.url.startsWith('https:') ? new Agent({ keepAlive: true, ca: options.ca }) : undefined;
  }

  #send(method: string, path: string, body: string | undefined, headers: Record<string, string>, signal?: AbortSignal) {
    const { url, token } = this.options;
    const settings = {
      method,
      agent: this.#agent,
      signal,
      headers: {
        accept: 'application/json',
        'user-agent': 'longshore',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    };
    return new Promise<IncomingMessage>((resolve, reject) => {
      const send = this.#agent === undefined ? httpRequest : httpsRequest;
      const sent = send(`${url}${path}`, settings, resolve);
      sent.once('error', reject);
      sent.end(body);
    });
  }

  /** Any answer, whatever its code. */
  async request(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<ApiAnswer> {
    const response = await this.#send(method, path, body, headers, signal);
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) };
  }

  /** @throws ApiError for anything but 2xx. */
  async json<T>(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
    signal?: AbortSignal,
  ): Promise<T> {
    const answer = await this.request(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      body === undefined ? {} : { 'content-type': contentType },
      signal,
    );
    if (answer.status < 200 || answer.status > 299) throw new ApiError(method, path, answer);
    return JSON.parse(answer.body.toString('utf8')) as T;
  }

  /** An answer that is read as it comes. @throws ApiError for anything but 200. */
  async stream(path: string, signal?: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#send('GET', path, undefined, {}, signal);
    if (response.statusCode === 200) return response;
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    throw new ApiError('GET', path, {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: Buffer.concat(parts),
    });
  }

  /** Events until the stream ends or `signal` aborts (which ends the iteration, without an error). */
  async *watch<T extends KubeObject>(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    const response = await this.stream(path, signal);
    try {
      for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== '') yield JSON.parse(line) as WatchEvent<T>;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.#agent?.destroy();
  }
}
