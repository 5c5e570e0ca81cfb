/** What every cluster has from its first moment. Idempotent: an object that is there already stays as it is. */
import { NAMESPACES, SERVICES, type Service } from '../../shared/api/core.ts';
import { type Draft, groupResourceOf, type KubeObject } from '../../shared/api/meta.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLES } from '../../shared/api/rbac.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import type { Reader } from '../store/store.ts';
import { bootstrapDefaults, ensure } from './bootstrap-defaults.ts';
import { DEFAULT_CLUSTER_ROLE_BINDINGS, DEFAULT_CLUSTER_ROLES, DEFAULT_ROLES } from './bootstrap-roles.ts';
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
  bootstrapDefaults(objects);
  bootstrapRoles(objects);
}

/** Raised when the default roles change: every cluster then gets the missing ones when it is next in memory. */
const ROLES_VERSION = '1';
const ROLES_VERSION_ANNOTATION = 'longshore.dev/default-roles-version';
const VERSIONED_ROLE = 'cluster-admin';

/** One look-up by key where there is nothing to do. */
export function hasDefaultRoles(reader: Reader): boolean {
  const stored = reader.get({ resource: groupResourceOf(CLUSTER_ROLES), namespace: '', name: VERSIONED_ROLE });
  if (stored === undefined) return false;
  const { metadata } = JSON.parse(stored.text) as KubeObject;
  return metadata.annotations?.[ROLES_VERSION_ANNOTATION] === ROLES_VERSION;
}

export function bootstrapRoles(objects: Objects): void {
  for (const role of DEFAULT_CLUSTER_ROLES) ensure(objects, CLUSTER_ROLES, role);
  for (const role of DEFAULT_ROLES) ensure(objects, ROLES, role);
  for (const binding of DEFAULT_CLUSTER_ROLE_BINDINGS) ensure(objects, CLUSTER_ROLE_BINDINGS, binding);
  const versioned = objects.get(CLUSTER_ROLES, '', VERSIONED_ROLE);
  if (versioned === undefined) return;
  versioned.metadata.annotations = { ...versioned.metadata.annotations, [ROLES_VERSION_ANNOTATION]: ROLES_VERSION };
  objects.update(CLUSTER_ROLES, versioned);
}
