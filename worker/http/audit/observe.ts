/** An answer on its way to the client, watched: what it held, up to a limit, is told when it ends. */
import { ANNOTATIONS_HEADER } from '../../rpc.ts';

/**
 * @param limit how many bytes to keep for `ended`; what is longer is told as undefined.
 * @param ended is called once, also when the client goes away; with what had been sent by then.
 */
export function observed(response: Response, limit: number, ended: (bytes: Uint8Array | undefined) => void): Response {
  if (response.body === null) {
    ended(new Uint8Array());
    return response;
  }
  const reader = response.body.getReader();
  const kept: Uint8Array[] = [];
  let length = 0;
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    ended(length > limit ? undefined : joined(kept, length));
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          end();
          controller.close();
          return;
        }
        length += value.length;
        if (length <= limit) kept.push(value);
        controller.enqueue(value);
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
  const answer = new Response(body, response);
  answer.headers.delete(ANNOTATIONS_HEADER);
  return answer;
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
