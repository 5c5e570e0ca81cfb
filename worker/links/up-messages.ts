/**
 * What a minion says on its control socket, from the text to its types: whoever reads a message behind this need not ask
 * what it is made of. Objects of Kubernetes in it are held against their schemas, their contents are judged when written.
 */
import { badRequest } from '../../shared/errors.ts';
import type { UpMessage } from '../../shared/link/protocol.ts';
import { definition, type Schema } from '../resources/schemas.ts';
import { BOOLEAN, INTEGER, listOf, mapOf, messageOf, mistyped, TEXT } from './message-types.ts';

const MAX_REASON_LENGTH = 100;

/** The message is none: its socket must be closed with this code and these words. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
  /** 1003: bytes where text belongs. 1007: text that is no message. */
  readonly code: 1003 | 1007;
  constructor(code: 1003 | 1007, reason: string) {
    // It may quote the message, and a close frame has room for 123 bytes.
    super(reason.slice(0, MAX_REASON_LENGTH).replaceAll(/[^\x20-\x7e]/g, '?'));
    this.code = code;
  }
}

/** An epoch is kept in the socket's attachment, which has little room. */
const MAX_EPOCH_LENGTH = 256;

/** @throws MalformedMessage; StatusError 400 for a type of message that is not known here. */
export function parseUpMessage(message: string | ArrayBuffer): UpMessage {
  if (typeof message !== 'string') throw new MalformedMessage(1003, 'the control socket carries text');
  const value = parseJson(message);
  const typeWrong = mistyped(ANY_MESSAGE, value);
  if (typeWrong !== undefined) throw new MalformedMessage(1007, typeWrong);
  const { type } = value as { type: string };
  schemas ??= schemasOfMessages();
  const schema = schemas.get(type);
  if (schema === undefined) throw badRequest(`no message has type ${JSON.stringify(type)}`);
  const wrong = mistyped(schema, value);
  if (wrong !== undefined) throw new MalformedMessage(1007, wrong);
  const known = value as UpMessage;
  if (known.type === 'acknowledge' && known.epoch.length > MAX_EPOCH_LENGTH) {
    throw new MalformedMessage(1007, 'epoch is too long');
  }
  return known;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw new MalformedMessage(1007, `not JSON: ${error.message}`);
    throw error;
  }
}

const ANY_MESSAGE = messageOf({ type: TEXT });

let schemas: ReadonlyMap<string, Schema> | undefined;

/** Made at the first message: Kubernetes' own are read from their table then. */
function schemasOfMessages(): ReadonlyMap<string, Schema> {
  const core = (name: string) => definition(`io.k8s.api.core.v1.${name}`);
  const texts = mapOf(TEXT);
  const registration = messageOf(
    { labels: texts, annotations: texts, status: core('NodeStatus') },
    { taints: listOf(core('Taint')) },
  );
  const pod = messageOf({ namespace: TEXT, name: TEXT, uid: TEXT, status: core('PodStatus') }, { gone: BOOLEAN });
  // What else a mirror has its user wrote: judged where it can be refused alone (`reports.ts`).
  const mirror = messageOf({ metadata: messageOf({}, { namespace: TEXT, name: TEXT, annotations: texts }) });
  const event = messageOf(
    { involvedObject: core('ObjectReference') },
    { type: TEXT, reason: TEXT, message: TEXT, source: core('EventSource'), reportingComponent: TEXT },
  );
  const messages: Record<UpMessage['type'], Schema> = {
    hello: messageOf(
      { version: INTEGER, node: TEXT, agentVersion: TEXT, machineId: TEXT, registration },
      { resume: messageOf({ epoch: TEXT, revision: INTEGER }) },
    ),
    report: messageOf(
      { id: INTEGER },
      {
        node: messageOf({}, { status: core('NodeStatus'), annotations: texts, labels: texts }),
        pods: listOf(pod),
        events: listOf(event),
        mirrors: listOf(mirror),
      },
    ),
    acknowledge: messageOf({ epoch: TEXT, revision: INTEGER }),
    goodbye: messageOf({ reason: TEXT }),
  };
  return new Map(Object.entries(messages));
}
