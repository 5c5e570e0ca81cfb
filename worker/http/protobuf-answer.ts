/** An answer of the API for a client that prefers protobuf to all else: made as JSON like every other, then turned. */
import { PROTOBUF_TYPE } from '../resources/decode.ts';
import type { JsonObject } from '../resources/definition.ts';
import { encodeObject } from '../resources/protobuf-write.ts';
import { protobufWish } from './negotiation.ts';

/** What is no object of a kind with a wire form (discovery, logs, metrics) stays as it is. */
export async function protobufAnswer(request: Request, answer: Response): Promise<Response> {
  if (protobufWish(request.headers) === undefined || answer.status === 101) return answer;
  if (answer.headers.get('content-type') !== 'application/json') return answer;
  const text = await answer.text();
  const bytes = encodeObject(JSON.parse(text) as JsonObject);
  const headers = new Headers(answer.headers);
  if (bytes === undefined) return new Response(text, { status: answer.status, headers });
  headers.set('content-type', PROTOBUF_TYPE);
  return new Response(bytes, { status: answer.status, headers });
}
