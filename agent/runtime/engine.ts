/**
 * The connection to the Docker engine: dockerode and what it lacks (streams that do not pile up in memory, errors that
 * say what to do). The only file that constructs a dockerode; its siblings are given an Engine.
 */
import type { IncomingMessage } from 'node:http';
import Docker from 'dockerode';

export interface Engine {
  docker: Docker;
  socketPath: string;
}

export function connectEngine(socketPath: string): Engine {
  return { docker: new Docker({ socketPath }), socketPath };
}

interface DockerError extends Error {
  statusCode?: number;
  code?: string;
  json?: unknown;
}

export const statusCodeOf = (error: unknown): number | undefined => (error as DockerError).statusCode;

/** The engine's own words, without the client's prefix. */
export function messageOf(error: unknown): string {
  const { json, message } = error as DockerError;
  if (typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string')
    return json.message;
  return message.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim();
}

/** What a person has to do when the engine does not answer; undefined: it did answer. */
export function unreachable(error: unknown, socketPath: string): Error | undefined {
  const hint: Record<string, string> = {
    ENOENT: 'there is no such socket: is Docker installed and dockerd running?',
    ECONNREFUSED: 'nothing listens there: start dockerd (systemctl start docker)',
    EACCES: 'this user may not use it: run as root or join the group docker',
  };
  const found = hint[(error as DockerError).code ?? ''];
  return found === undefined ? undefined : new Error(`cannot reach the Docker engine at ${socketPath}: ${found}`);
}

/** GET or POST whose body arrives as a stream, from the first byte on and with back-pressure. */
export function openStream(
  engine: Engine,
  request: { method: 'GET' | 'POST'; path: string; query?: Record<string, string>; abort?: AbortSignal; body?: Buffer },
): Promise<IncomingMessage> {
  const query = new URLSearchParams(request.query).toString();
  return new Promise((resolve, reject) => {
    engine.docker.modem.dial(
      {
        path: query === '' ? request.path : `${request.path}?${query}&`,
        method: request.method,
        abortSignal: request.abort,
        file: request.body,
        isStream: true,
        statusCodes: {
          200: true,
          101: true,
          400: 'bad parameter',
          404: 'not found',
          409: 'conflict',
          500: 'server error',
        },
      },
      (error: unknown, stream: unknown) => (error === null ? resolve(stream as IncomingMessage) : reject(error)),
    );
  });
}
