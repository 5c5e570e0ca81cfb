/** Every namespace has a ServiceAccount `default`, and gets it again when it is deleted. */
import { NAMESPACES, SERVICE_ACCOUNTS } from '../../shared/api/core.ts';
import { type Controller, source } from './controller.ts';

const DEFAULT = 'default';

/** Keys are names of namespaces. */
export const serviceAccounts: Controller = {
  name: 'serviceaccount',
  account: 'service-account-controller',
  sources: [
    source(NAMESPACES, ({ type, object }) => (type === 'ADDED' ? [object.metadata.name] : [])),
    source(SERVICE_ACCOUNTS, ({ type, object }) =>
      type === 'DELETED' && object.metadata.name === DEFAULT ? [object.metadata.namespace ?? ''] : [],
    ),
  ],
  reconcile(namespace, { objects }) {
    const current = objects.get(NAMESPACES, '', namespace);
    if (current === undefined || current.metadata.deletionTimestamp !== undefined) return;
    if (objects.get(SERVICE_ACCOUNTS, namespace, DEFAULT) !== undefined) return;
    objects.create(SERVICE_ACCOUNTS, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: DEFAULT, namespace },
    });
  },
};
