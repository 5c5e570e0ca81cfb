/** CONNECT: a stream to a pod, a proxied connection. Nothing is written, and whoever judges writes may refuse it, or change its options. */
import { apiVersionOf, type KubeObject } from '../../shared/api/meta.ts';
import { shownKind } from '../admission/shown-kinds.ts';
import type { Connect, ConnectOptions } from '../rpc.ts';
import { admitUnwritten } from './admit.ts';
import { copyJson } from './json.ts';
import type { Session } from './session.ts';
import type { Write } from './write.ts';

/** @returns the options as webhooks leave them. @throws StatusError, WebhooksNeeded */
export function admitConnect(session: Session, asked: Connect): ConnectOptions {
  const { resource, subresource, namespace, name, options } = asked;
  const definition = session.parts.catalog().findGroupResource(resource);
  const kind = definition && shownKind(definition, subresource);
  if (definition === undefined || kind === undefined) throw new Error(`${resource}/${subresource} connects nobody`);
  const draft = { kind: kind.kind, apiVersion: apiVersionOf(kind), ...copyJson(options) } as unknown as KubeObject;
  const write: Write = { operation: 'CONNECT', definition, part: subresource, namespace, name, draft };
  admitUnwritten(session, write);
  const { kind: _, apiVersion: __, ...left } = draft as unknown as ConnectOptions;
  return left;
}
