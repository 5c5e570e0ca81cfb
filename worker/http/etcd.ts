/**
 * etcd's v3 JSON gateway as clients see it: POST below /v3/, two of them streams both ways. The Worker holds the streams;
 * everything is answered by the Cluster object (`worker/links/keyspace-watches.ts`), which also judges who may.
 * Source: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/
 */
import { type Context, type Env, Hono } from 'hono';
import type { Question } from '../rpc.ts';
import { ClientStream } from './client-stream.ts';

/**
 * Asks the Cluster object of this request, as its authenticated caller.
 * @param path from the cluster's root: `/v3/kv/range`
 */
export type AskCluster<E extends Env> = (context: Context<E>, path: string, question: Question) => Promise<Response>;

/** Both as text messages on the socket to the object. */
const PROGRESS = 'progress';
const PROGRESS_MS = 10 * 60_000;
/** Nothing to a JSON reader, or before its next line. */
const NOTHING = new TextEncoder().encode(' ');
const MAX_MESSAGE_CHARACTERS = 64 * 1024;
const MAX_BODY_BYTES = 4 * 1024 * 1024;
const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-cache, private, no-transform' };

const plain = (text: string, status: number): Response =>
  new Response(`${text}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });

export function etcdRoutes<E extends Env>(ask: AskCluster<E>): Hono<E> {
  const app = new Hono<E>();
  app.post('/v3/watch', async (context) => {
    const answer = await ask(context, '/v3/watch', { headers: { upgrade: 'websocket' } });
    const socket = answer.webSocket;
    if (answer.status !== 101 || socket === null) return answer;
    return watchAnswer(context, socket);
  });
  app.post('/v3/lease/keepalive', (context) => keepAliveAnswer(context, ask));
  app.post('/v3/*', async (context) => {
    if (Number(context.req.header('content-length') ?? 0) > MAX_BODY_BYTES) {
      const message = 'etcdserver: request is too large';
      return Response.json({ error: message, code: 3, message }, { status: 400 });
    }
    const path = context.req.path.slice(context.req.path.indexOf('/v3/'));
    return ask(context, path, { method: 'POST', body: await context.req.text() });
  });
  app.all('/v3/*', () => plain('Method Not Allowed', 405));
  return app;
}

/** The client's messages go up as they come; the response stays open after the last of them, as etcd's does. */
function watchAnswer<E extends Env>(context: Context<E>, socket: WebSocket): Response {
  const encoder = new TextEncoder();
  const { raw } = context.req;
  const stream = new ClientStream({ socket, signal: raw.signal, nothing: NOTHING });
  const send = (line: string) => stream.send(encoder.encode(`${line}\n`), line.length);
  socket.addEventListener('message', ({ data }) => send(String(data)));
  socket.accept();
  let progress: number | null = null;
  const forward = async (): Promise<void> => {
    for await (const message of messagesOf(raw.body)) {
      if (!stream.isOpen) return;
      if (wantsProgress(message)) progress ??= setInterval(() => stream.isOpen && socket.send(PROGRESS), PROGRESS_MS);
      socket.send(message);
    }
  };
  forward().catch((error: unknown) => {
    send(JSON.stringify(errorBody(error)));
    stream.finish('bad request');
  });
  context.executionCtx.waitUntil(stream.ended.then(() => clearInterval(progress)));
  return new Response(stream.body, { headers: HEADERS });
}

/** One answer a message, until the client ends. */
function keepAliveAnswer<E extends Env>(context: Context<E>, ask: AskCluster<E>): Response {
  const encoder = new TextEncoder();
  const messages = messagesOf(context.req.raw.body);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const line = (value: unknown): void => controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      try {
        const { value, done } = await messages.next();
        if (done) return controller.close();
        const answer = await ask(context, '/v3/lease/keepalive', { method: 'POST', body: value });
        if (answer.ok) return line({ result: await answer.json() });
        line(await answer.json());
      } catch (error) {
        line(errorBody(error));
      }
      controller.close();
    },
    async cancel() {
      await messages.return(undefined);
    },
  });
  return new Response(body, { headers: HEADERS });
}

function errorBody(error: unknown): { error: string; code: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  return { error: message, code: 2, message };
}

function wantsProgress(message: string): boolean {
  if (!/progress_?notify/i.test(message)) return false;
  const request = JSON.parse(message) as Record<string, Record<string, unknown> | undefined>;
  const create = request.create_request ?? request.createRequest;
  return (create?.progress_notify ?? create?.progressNotify) === true;
}

/**
 * The JSON objects of a body, one after the other, each as soon as it is whole.
 * @throws SyntaxError for anything between them, RangeError for one that does not end in time.
 */
export async function* messagesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string, undefined> {
  if (body === null) return undefined;
  const decoder = new TextDecoder();
  const cut = messageCutter();
  for await (const chunk of body) yield* cut(decoder.decode(chunk, { stream: true }));
  if (cut('').length > 0 || cut.isInside()) throw new SyntaxError('unexpected EOF');
  return undefined;
}

function messageCutter(): ((text: string) => string[]) & { isInside(): boolean } {
  let rest = '';
  let position = 0;
  let depth = 0;
  let quoted = false;
  const cut = (text: string): string[] => {
    rest += text;
    const whole: string[] = [];
    for (; position < rest.length; position += 1) {
      const character = rest[position] as string;
      if (quoted) {
        if (character === '\\') position += 1;
        else if (character === '"') quoted = false;
      } else if (character === '"' && depth > 0) quoted = true;
      else if (character === '{' || (character === '[' && depth > 0)) depth += 1;
      else if (depth > 0 && (character === '}' || character === ']')) {
        depth -= 1;
        if (depth > 0) continue;
        whole.push(rest.slice(0, position + 1).trim());
        rest = rest.slice(position + 1);
        position = -1;
      } else if (depth === 0 && !/\s/.test(character)) {
        throw new SyntaxError(`invalid character '${character}' looking for beginning of value`);
      }
    }
    if (rest.length > MAX_MESSAGE_CHARACTERS) throw new RangeError('etcdserver: request is too large');
    return whole;
  };
  return Object.assign(cut, { isInside: () => depth > 0 });
}
