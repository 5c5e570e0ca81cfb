/** Every controller, explicitly. The scheduler is one too, but of its own room: the composition root adds it. */
import { apiServices } from './apiservices.ts';
import { createCertificateSigning } from './certificate-signing.ts';
import { clusterRoleAggregation } from './clusterrole-aggregation.ts';
import type { Controller } from './controller.ts';
import { cronJobs } from './cronjobs.ts';
import { customResourceDefinitions } from './customresourcedefinitions.ts';
import { daemonSets } from './daemonsets.ts';
import { deployments } from './deployments.ts';
import { disruption } from './disruption.ts';
import { endpointSliceMirroring } from './endpointslice-mirroring.ts';
import { endpointSlices } from './endpointslices.ts';
import { events } from './events.ts';
import { finishedJobs } from './finished-jobs.ts';
import { flowSchemas } from './flowschemas.ts';
import { createGarbageCollector } from './garbage-collector.ts';
import { createHooks } from './hooks.ts';
import { horizontalPodAutoscalers } from './horizontalpodautoscalers.ts';
import { jobs } from './jobs.ts';
import { createKubernetesEndpoints } from './kubernetes-endpoints.ts';
import { createNamespaces } from './namespaces.ts';
import { nodeCIDRs } from './node-cidrs.ts';
import { createNodes } from './nodes.ts';
import { podGarbageCollector } from './pod-garbage-collector.ts';
import { replicaSets, replicationControllers } from './replicasets.ts';
import { resourceQuotas } from './resourcequotas.ts';
import { createRootCA } from './root-ca.ts';
import { serviceAccounts } from './serviceaccounts.ts';
import { createServices } from './services.ts';
import { statefulSets } from './statefulsets.ts';
import type { Surroundings } from './surroundings.ts';
import { taintEviction } from './taint-eviction.ts';

export function createControllers(surroundings: Surroundings): Controller[] {
  return [
    customResourceDefinitions,
    apiServices,
    flowSchemas,
    createNamespaces(surroundings),
    createGarbageCollector(surroundings),
    serviceAccounts,
    clusterRoleAggregation,
    createCertificateSigning(() => surroundings.cluster.authority?.()),
    createRootCA(surroundings),
    nodeCIDRs,
    createNodes(surroundings),
    taintEviction,
    podGarbageCollector,
    events,
    deployments,
    replicaSets,
    replicationControllers,
    statefulSets,
    daemonSets,
    jobs,
    cronJobs,
    finishedJobs,
    disruption,
    horizontalPodAutoscalers,
    createServices(surroundings),
    endpointSlices,
    endpointSliceMirroring,
    createKubernetesEndpoints(surroundings),
    resourceQuotas,
    createHooks(surroundings),
  ];
}
