/**
 * Cluster-wide objects that every cluster has besides namespaces, Services and roles: priority classes, flow control, the
 * network of cluster IPs, and an APIService for each group version that is served. Made when a cluster is new, and again,
 * where they are missing, when this list has changed since.
 */
import { API_SERVICES, type APIService, AUTOMANAGED_LABEL } from '../../shared/api/apiregistration.ts';
import { FLOW_SCHEMAS, type FlowSchema, PRIORITY_LEVEL_CONFIGURATIONS } from '../../shared/api/flowcontrol.ts';
import { type Draft, groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { SERVICE_CIDRS, type ServiceCIDR } from '../../shared/api/networking.ts';
import { PRIORITY_CLASSES, type PriorityClass, SYSTEM_PRIORITIES } from '../../shared/api/scheduling.ts';
import { DEFAULTS } from '../../shared/defaults.ts';
import { type Catalog, catalogOf } from '../resources/catalog.ts';
import type { Reader } from '../store/store.ts';
import { FLOW_SCHEMAS_AT_START, PRIORITY_LEVELS } from './bootstrap-flow-control.ts';
import { withDangling } from './dangling.ts';
import type { Objects } from './objects.ts';

const CRITICAL: Record<string, string> = {
  'system-cluster-critical':
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  'system-node-critical': 'Used for system critical pods that must not be moved from their current node.',
};

const priorityClasses = (): Draft<PriorityClass>[] =>
  Object.entries(SYSTEM_PRIORITIES).map(([name, value]) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description: CRITICAL[name] ?? '',
  }));

const SERVICE_NETWORK: Draft<ServiceCIDR> = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes' },
  spec: { cidrs: [DEFAULTS.serviceCIDR] },
};

/** Upstream's priorities of groups; higher comes first where a short name is two groups'. */
const GROUP_PRIORITIES: Record<string, number> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'resource.k8s.io': 15_900,
};
const OTHER_GROUPS = 1_000;
const VERSION_PRIORITIES: Record<string, number> = { 'autoscaling/v2': 30, '/v1': 1 };
const OTHER_VERSIONS = 15;

function apiServices(served: Catalog['served']): Draft<APIService>[] {
  const versions = new Map(
    served.map(({ identity: { group, version } }) => [`${version}.${group}`, { group, version }]),
  );
  // The registration of groups is the one group that nobody registers.
  versions.delete(`${API_SERVICES.version}.${API_SERVICES.group}`);
  return [...versions].map(([name, { group, version }]) => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name, labels: { [AUTOMANAGED_LABEL]: 'onstart' } },
    spec: {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum: GROUP_PRIORITIES[group] ?? OTHER_GROUPS,
      versionPriority: VERSION_PRIORITIES[`${group}/${version}`] ?? OTHER_VERSIONS,
    },
  }));
}

/** Raised when what stands above changes; group versions count by themselves. */
const DEFAULTS_VERSION = '2';
const VERSION_ANNOTATION = 'longshore.dev/default-objects-version';
const VERSIONED = 'v1.';

const versionOf = (services: readonly Draft<APIService>[]): string => `${DEFAULTS_VERSION}.${services.length}`;

/** One look-up by key where there is nothing to do. */
export function hasDefaultObjects(reader: Reader): boolean {
  const stored = reader.get({ resource: groupResourceOf(API_SERVICES), namespace: '', name: VERSIONED });
  if (stored === undefined) return false;
  const { metadata } = JSON.parse(stored.text) as KubeObject;
  return metadata.annotations?.[VERSION_ANNOTATION] === versionOf(apiServices(catalogOf().served));
}

export function bootstrapDefaults(objects: Objects): void {
  const services = apiServices(catalogOf().served);
  for (const each of priorityClasses()) ensure(objects, PRIORITY_CLASSES, each);
  for (const each of PRIORITY_LEVELS) ensure(objects, PRIORITY_LEVEL_CONFIGURATIONS, each);
  bootstrapFlowSchemas(objects);
  ensure(objects, SERVICE_CIDRS, SERVICE_NETWORK);
  for (const each of services) ensure(objects, API_SERVICES, each);
  const versioned = objects.get(API_SERVICES, '', VERSIONED);
  if (versioned === undefined) return;
  versioned.metadata.annotations = { ...versioned.metadata.annotations, [VERSION_ANNOTATION]: versionOf(services) };
  objects.update(API_SERVICES, versioned);
}

/** Their levels are there; what an older version made says nothing of that yet. */
function bootstrapFlowSchemas(objects: Objects): void {
  const levels = new Set(objects.list(PRIORITY_LEVEL_CONFIGURATIONS).map(({ metadata }) => metadata.name));
  const settled = <T extends Draft<FlowSchema>>(schema: T): T | undefined =>
    withDangling(schema, levels.has(schema.spec.priorityLevelConfiguration.name), objects.nowMs);
  for (const schema of objects.list(FLOW_SCHEMAS).flatMap((each) => settled(each) ?? [])) {
    objects.updateStatus(FLOW_SCHEMAS, schema);
  }
  for (const schema of FLOW_SCHEMAS_AT_START) {
    ensure(objects, FLOW_SCHEMAS, settled(schema) ?? schema, { withStatus: true });
  }
}

/** Creates what is not there; what is there stays as its owner has made it. */
export function ensure<T extends KubeObject>(
  objects: Objects,
  identity: Identity<T>,
  draft: Draft<T>,
  options?: { withStatus: boolean },
): void {
  const { namespace = '', name = '' } = draft.metadata;
  if (objects.get(identity, namespace, name) === undefined) objects.create(identity, draft, options);
}
