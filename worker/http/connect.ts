/**
 * A CONNECT in the Cluster object, once it is authorized: who opens a stream to a pod, or a proxied connection, is admitted
 * before anybody looks where that leads. What is carried over it never comes here.
 * Source: apiserver, pkg/endpoints/handlers/rest.go, ConnectResource
 */
import { conflict, MODIFIED } from '../../shared/errors.ts';
import { transactAsking } from '../registry/asking.ts';
import { admitConnect } from '../registry/connect.ts';
import type { Objects } from '../registry/objects.ts';
import type { Session } from '../registry/session.ts';
import type { Connect, Connected, ConnectOptions } from '../rpc.ts';
import type { Synchronous } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import type { RestParts } from './exchange.ts';
import { askWebhooks } from './webhook-calls.ts';

export type ConnectParts = Pick<RestParts, 'registry' | 'webhooks'>;

/** @returns where it leads, and the options where a webhook has changed them. @throws StatusError */
export function connect<T extends object>(
  parts: ConnectParts,
  user: UserInfo,
  asked: Connect,
  locate: (objects: Objects, options: ConnectOptions) => Synchronous<T>,
): Promise<Connected<T>> {
  const body = (session: Session) => {
    const options = admitConnect(session, asked);
    const isChanged = JSON.stringify(options) !== JSON.stringify(asked.options);
    const location = locate(session.objects, options) as T;
    return (isChanged ? { ...location, options } : location) as Synchronous<Connected<T>>;
  };
  return transactAsking(
    (journal) => parts.registry.transact({ user, journal }, body),
    (questions, journal) => askWebhooks(parts.webhooks, questions, journal),
    () => conflict({ group: '', resource: asked.resource }, asked.name, MODIFIED),
  );
}
