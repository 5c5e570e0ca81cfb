/**
 * `v1 ComponentStatus`, answered by looking: the controllers, the scheduler and the store are parts of the object that
 * answers, so they are well whenever it does. Nothing of it is stored.
 */
import type { ComponentStatus } from '../../shared/api/core.ts';
import type { ListQuery, Reader, StoredObject } from '../store/store.ts';
import { type Exchange, formOf, LIST_FORMS, methodRefused, TABLE_FORMS } from './exchange.ts';
import { parseListOptions } from './list-options.ts';
import { getObject, listObjects } from './lists.ts';

const COMPONENTS = ['controller-manager', 'etcd-0', 'scheduler'];
const RESOURCE = 'componentstatuses';

function componentOf(name: string): StoredObject {
  const object = {
    kind: 'ComponentStatus',
    apiVersion: 'v1',
    metadata: { name },
    conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }],
  } as unknown as ComponentStatus;
  return { resource: RESOURCE, namespace: '', name, revision: 0, text: JSON.stringify(object) };
}

/** The store as it would be if components were stored in it. */
function withComponents(reader: Reader): Reader {
  const { revision, compactedRevision, epoch } = reader;
  const after = (place: ListQuery['after']) =>
    COMPONENTS.filter((name) => place === undefined || name > place.name).map(componentOf);
  return {
    revision,
    compactedRevision,
    epoch,
    get: ({ name }) => (COMPONENTS.includes(name) ? componentOf(name) : undefined),
    list: (query) => ({ revision, items: after(query.after) }),
    texts: (query) => ({
      revision,
      ended: true,
      next: () =>
        new TextEncoder().encode(
          after(query.after)
            .map(({ text }) => `,${text}`)
            .join(''),
        ),
    }),
    count: () => COMPONENTS.length,
    changesSince: () => [],
    changeAt: () => undefined,
    textBefore: () => undefined,
  };
}

export function onComponentStatuses(exchange: Exchange): Response | Promise<Response> {
  const { info, served, read, warnings } = exchange;
  const parts = { ...read, reader: withComponents(read.reader) };
  warnings.push('v1 ComponentStatus is deprecated in v1.19+');
  if (info.verb === 'get' && info.name !== '') {
    return getObject(parts, served, '', info.name, formOf(exchange, TABLE_FORMS), info.query);
  }
  if (info.verb !== 'list' || info.name !== '') throw methodRefused();
  return listObjects(
    parts,
    served,
    undefined,
    parseListOptions(info.query, false),
    formOf(exchange, LIST_FORMS),
    info.query,
  );
}
