/**
 * Every namespace has a ConfigMap `kube-root-ca.crt`, by which pods trust the API, kept as it should be. A cluster with a
 * public certificate needs none and has none.
 */
import { CONFIG_MAPS, NAMESPACES } from '../../shared/api/core.ts';
import { type Controller, source } from './controller.ts';
import { isEqual } from './equality.ts';
import type { Surroundings } from './surroundings.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** Keys are names of namespaces. */
export function createRootCA({ cluster }: Pick<Surroundings, 'cluster'>): Controller {
  return {
    name: 'root-ca',
    account: 'root-ca-cert-publisher',
    sources: [
      source(NAMESPACES, ({ type, object }) => (type === 'ADDED' ? [object.metadata.name] : [])),
      source(CONFIG_MAPS, ({ type, object }) =>
        type !== 'ADDED' && object.metadata.name === NAME ? [object.metadata.namespace ?? ''] : [],
      ),
    ],
    reconcile(namespace, { objects }) {
      if (cluster.caCertificate === undefined) return;
      const home = objects.get(NAMESPACES, '', namespace);
      if (home === undefined || home.metadata.deletionTimestamp !== undefined) return;
      const data = { 'ca.crt': cluster.caCertificate };
      const annotations = { 'kubernetes.io/description': DESCRIPTION };
      const current = objects.get(CONFIG_MAPS, namespace, NAME);
      if (current === undefined) {
        const metadata = { name: NAME, namespace, annotations };
        objects.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
      } else if (!isEqual(current.data, data)) {
        objects.update(CONFIG_MAPS, { ...current, data });
      }
    },
  };
}
