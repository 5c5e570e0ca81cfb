/** What every cluster has from its first moment. Idempotent: an object that is there already stays as it is. */
import { NAMESPACES, SERVICES, type Service } from '../../shared/api/core.ts';
import type { Draft } from '../../shared/api/meta.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import type { Objects } from './objects.ts';

const BASE_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const KUBERNETES_SERVICE: Draft<Service> = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'kubernetes',
    namespace: 'default',
    labels: { component: 'apiserver', provider: 'kubernetes' },
  },
  spec: {
    type: 'ClusterIP',
    clusterIP: DEFAULTS.apiServiceIP,
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    sessionAffinity: 'None',
  },
};

/** No selector: every minion answers its own pods' questions. */
const DNS_SERVICE: Draft<Service> = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'kube-dns',
    namespace: 'kube-system',
    labels: {
      'k8s-app': 'kube-dns',
      'kubernetes.io/cluster-service': 'true',
      'kubernetes.io/name': 'CoreDNS',
    },
  },
  spec: {
    type: 'ClusterIP',
    clusterIP: DEFAULTS.dnsIP,
    ports: [
      { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 },
      { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: 53 },
    ],
  },
};

export function bootstrap(objects: Objects): void {
  for (const name of BASE_NAMESPACES) {
    if (objects.get(NAMESPACES, '', name) !== undefined) continue;
    objects.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  for (const service of [KUBERNETES_SERVICE, DNS_SERVICE]) {
    const { namespace = '', name = '' } = service.metadata;
    if (objects.get(SERVICES, namespace, name) === undefined) objects.create(SERVICES, service);
  }
}
