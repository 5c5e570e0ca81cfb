/** POST /longshore/join: a machine with a join token becomes a minion and gets a token of its own. */
import { NODES, type Node } from '../../shared/api/core.ts';
import { badRequest, StatusError } from '../../shared/errors.ts';
import type { JoinReply, JoinRequest } from '../../shared/link/protocol.ts';
import { checkDNSSubdomain } from '../resources/names.ts';
import type { Reader } from '../store/store.ts';
import { json } from './answers.ts';
import { readBody } from './body.ts';
import { minionClaims, mintToken } from './tokens.ts';

export interface JoinParts {
  reader: Reader;
  secret: string;
  cluster: string;
  nowMs(): number;
}

function parse(text: string): JoinRequest {
  let value: Partial<Record<keyof JoinRequest, unknown>> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch (error) {
    if (error instanceof SyntaxError) throw badRequest(`the body must be JSON: ${error.message}`);
    throw error;
  }
  const { node, machineId } = value ?? {};
  if (typeof node !== 'string') throw badRequest('node: Required value');
  const [wrong] = checkDNSSubdomain(node);
  if (wrong !== undefined) throw badRequest(`node: Invalid value: ${JSON.stringify(node)}: ${wrong}`);
  if (typeof machineId !== 'string' || !/^[\w.:-]{1,128}$/.test(machineId)) {
    throw badRequest('machineId: Invalid value: must be 1 to 128 letters, digits, or any of _.:-');
  }
  return { node, machineId };
}

/** @throws StatusError 400, and 409 when the node's name is another machine's. */
export async function answerJoin(parts: JoinParts, request: Request): Promise<Response> {
  const { node, machineId } = parse(new TextDecoder().decode(await readBody(request)));
  const stored = parts.reader.get({ resource: 'nodes', namespace: '', name: node });
  const owner = stored === undefined ? undefined : (JSON.parse(stored.text) as Node).status?.nodeInfo?.machineID;
  if (owner && owner !== machineId) {
    throw new StatusError(
      409,
      'AlreadyExists',
      `nodes ${JSON.stringify(node)} already exists: it is another machine; delete it to give the name away`,
      { name: node, kind: NODES.resource },
    );
  }
  const token = await mintToken(parts.secret, minionClaims(parts.cluster, node, machineId), parts.nowMs());
  const reply: JoinReply = { token };
  return json(reply);
}
