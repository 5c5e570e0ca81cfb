/**
 * Every resource that is served, explicitly; and the lookups over them. A catalog is a value: the built-in one is made once,
 * and `catalogOf(DEFINITIONS, custom)` makes another when CRDs come or go. Lookups are O(1).
 */
import { apiVersionOf, groupResourceOf, type Identity } from '../../shared/api/meta.ts';
import { API_SERVICES_DEFINITION } from './apiservices.ts';
import { BINDINGS_DEFINITION } from './bindings.ts';
import { CERTIFICATE_SIGNING_REQUESTS_DEFINITION } from './certificatesigningrequests.ts';
import { CLUSTER_ROLE_BINDINGS_DEFINITION } from './clusterrolebindings.ts';
import { CLUSTER_ROLES_DEFINITION } from './clusterroles.ts';
import { COMPONENT_STATUSES_DEFINITION } from './componentstatuses.ts';
import { CONFIG_MAPS_DEFINITION } from './configmaps.ts';
import { CONTROLLER_REVISIONS_DEFINITION } from './controllerrevisions.ts';
import { CRON_JOBS_DEFINITION } from './cronjobs.ts';
import { CSI_DRIVERS_DEFINITION } from './csidrivers.ts';
import { CSI_NODES_DEFINITION } from './csinodes.ts';
import { CSI_STORAGE_CAPACITIES_DEFINITION } from './csistoragecapacities.ts';
import { CUSTOM_RESOURCE_DEFINITIONS_DEFINITION } from './customresourcedefinitions.ts';
import { DAEMON_SETS_DEFINITION } from './daemonsets.ts';
import type { JsonObject, ResourceDefinition, Subresource } from './definition.ts';
import { DEPLOYMENTS_DEFINITION } from './deployments.ts';
import { DEVICE_CLASSES_DEFINITION } from './deviceclasses.ts';
import { ENDPOINTS_DEFINITION } from './endpoints.ts';
import { ENDPOINT_SLICES_DEFINITION } from './endpointslices.ts';
import { EVENTS_DEFINITION } from './events.ts';
import { FLOW_SCHEMAS_DEFINITION } from './flowschemas.ts';
import { HOOKS_DEFINITION } from './hooks.ts';
import { HORIZONTAL_POD_AUTOSCALERS_DEFINITION } from './horizontalpodautoscalers.ts';
import { INGRESS_CLASSES_DEFINITION } from './ingressclasses.ts';
import { INGRESSES_DEFINITION } from './ingresses.ts';
import { IP_ADDRESSES_DEFINITION } from './ipaddresses.ts';
import { JOBS_DEFINITION } from './jobs.ts';
import { LEASES_DEFINITION } from './leases.ts';
import { LIMIT_RANGES_DEFINITION } from './limitranges.ts';
import { MUTATING_WEBHOOK_CONFIGURATIONS_DEFINITION } from './mutatingwebhookconfigurations.ts';
import { NAMESPACES_DEFINITION } from './namespaces.ts';
import { NETWORK_POLICIES_DEFINITION } from './networkpolicies.ts';
import { NODES_DEFINITION } from './nodes.ts';
import { PERSISTENT_VOLUME_CLAIMS_DEFINITION } from './persistentvolumeclaims.ts';
import { PERSISTENT_VOLUMES_DEFINITION } from './persistentvolumes.ts';
import { POD_DISRUPTION_BUDGETS_DEFINITION } from './poddisruptionbudgets.ts';
import { PODS_DEFINITION } from './pods.ts';
import { POD_TEMPLATES_DEFINITION } from './podtemplates.ts';
import { PRIORITY_CLASSES_DEFINITION } from './priorityclasses.ts';
import { PRIORITY_LEVEL_CONFIGURATIONS_DEFINITION } from './prioritylevelconfigurations.ts';
import { REPLICA_SETS_DEFINITION } from './replicasets.ts';
import { REPLICATION_CONTROLLERS_DEFINITION } from './replicationcontrollers.ts';
import { RESOURCE_CLAIMS_DEFINITION } from './resourceclaims.ts';
import { RESOURCE_CLAIM_TEMPLATES_DEFINITION } from './resourceclaimtemplates.ts';
import { RESOURCE_QUOTAS_DEFINITION } from './resourcequotas.ts';
import { RESOURCE_SLICES_DEFINITION } from './resourceslices.ts';
import { REVIEWS } from './reviews.ts';
import { ROLE_BINDINGS_DEFINITION } from './rolebindings.ts';
import { ROLES_DEFINITION } from './roles.ts';
import { RUNTIME_CLASSES_DEFINITION } from './runtimeclasses.ts';
import { definition, type Schema } from './schemas.ts';
import { SECRETS_DEFINITION } from './secrets.ts';
import { SERVICE_ACCOUNTS_DEFINITION } from './serviceaccounts.ts';
import { SERVICE_CIDRS_DEFINITION } from './servicecidrs.ts';
import { SERVICES_DEFINITION } from './services.ts';
import { STATEFUL_SETS_DEFINITION } from './statefulsets.ts';
import { STORAGE_CLASSES_DEFINITION } from './storageclasses.ts';
import { schemaOfStructural } from './structural.ts';
import { USAGE_METRICS } from './usage-metrics.ts';
import { VALIDATING_ADMISSION_POLICIES_DEFINITION } from './validatingadmissionpolicies.ts';
import { VALIDATING_ADMISSION_POLICY_BINDINGS_DEFINITION } from './validatingadmissionpolicybindings.ts';
import { VALIDATING_WEBHOOK_CONFIGURATIONS_DEFINITION } from './validatingwebhookconfigurations.ts';
import { VOLUME_ATTACHMENTS_DEFINITION } from './volumeattachments.ts';
import { VOLUME_ATTRIBUTES_CLASSES_DEFINITION } from './volumeattributesclasses.ts';

/** In discovery's order within each group. */
export const DEFINITIONS: readonly ResourceDefinition[] = [
  CONFIG_MAPS_DEFINITION,
  ENDPOINTS_DEFINITION,
  EVENTS_DEFINITION,
  NAMESPACES_DEFINITION,
  NODES_DEFINITION,
  PODS_DEFINITION,
  POD_TEMPLATES_DEFINITION,
  REPLICATION_CONTROLLERS_DEFINITION,
  SECRETS_DEFINITION,
  SERVICE_ACCOUNTS_DEFINITION,
  SERVICES_DEFINITION,
  CONTROLLER_REVISIONS_DEFINITION,
  DAEMON_SETS_DEFINITION,
  DEPLOYMENTS_DEFINITION,
  REPLICA_SETS_DEFINITION,
  STATEFUL_SETS_DEFINITION,
  HORIZONTAL_POD_AUTOSCALERS_DEFINITION,
  CRON_JOBS_DEFINITION,
  JOBS_DEFINITION,
  POD_DISRUPTION_BUDGETS_DEFINITION,
  LEASES_DEFINITION,
  ENDPOINT_SLICES_DEFINITION,
  CERTIFICATE_SIGNING_REQUESTS_DEFINITION,
  CLUSTER_ROLES_DEFINITION,
  CLUSTER_ROLE_BINDINGS_DEFINITION,
  ROLES_DEFINITION,
  ROLE_BINDINGS_DEFINITION,
  BINDINGS_DEFINITION,
  COMPONENT_STATUSES_DEFINITION,
  LIMIT_RANGES_DEFINITION,
  RESOURCE_QUOTAS_DEFINITION,
  PERSISTENT_VOLUMES_DEFINITION,
  PERSISTENT_VOLUME_CLAIMS_DEFINITION,
  INGRESSES_DEFINITION,
  INGRESS_CLASSES_DEFINITION,
  NETWORK_POLICIES_DEFINITION,
  IP_ADDRESSES_DEFINITION,
  SERVICE_CIDRS_DEFINITION,
  PRIORITY_CLASSES_DEFINITION,
  RUNTIME_CLASSES_DEFINITION,
  STORAGE_CLASSES_DEFINITION,
  VOLUME_ATTRIBUTES_CLASSES_DEFINITION,
  VOLUME_ATTACHMENTS_DEFINITION,
  CSI_DRIVERS_DEFINITION,
  CSI_NODES_DEFINITION,
  CSI_STORAGE_CAPACITIES_DEFINITION,
  FLOW_SCHEMAS_DEFINITION,
  PRIORITY_LEVEL_CONFIGURATIONS_DEFINITION,
  API_SERVICES_DEFINITION,
  DEVICE_CLASSES_DEFINITION,
  RESOURCE_CLAIMS_DEFINITION,
  RESOURCE_CLAIM_TEMPLATES_DEFINITION,
  RESOURCE_SLICES_DEFINITION,
  MUTATING_WEBHOOK_CONFIGURATIONS_DEFINITION,
  VALIDATING_ADMISSION_POLICIES_DEFINITION,
  VALIDATING_ADMISSION_POLICY_BINDINGS_DEFINITION,
  VALIDATING_WEBHOOK_CONFIGURATIONS_DEFINITION,
  ...REVIEWS,
  ...USAGE_METRICS,
  CUSTOM_RESOURCE_DEFINITIONS_DEFINITION,
  HOOKS_DEFINITION,
];

/** A definition under one of the group versions that serve it. */
export interface ServedResource {
  definition: ResourceDefinition;
  /** As asked for; differs from the definition's own where it is `alsoServedAs`. */
  identity: Identity;
  schema: Schema;
  listKind: string;
  /** Paths below an object. A second form of a built-in resource has none of its own. */
  subresources: readonly Subresource[];
  /** Set where the served form is not the stored one, and can be had without asking anybody. */
  convert?: { fromStored(object: JsonObject): JsonObject; toStored(object: JsonObject): JsonObject } | undefined;
}

export interface Catalog {
  readonly definitions: readonly ResourceDefinition[];
  /** Every served form, each definition's own first. */
  readonly served: readonly ServedResource[];
  /** `findResource('apps', 'v1', 'deployments')`; group '' is core. */
  findResource(group: string, version: string, resource: string): ServedResource | undefined;
  /** `findKind('apps/v1', 'Deployment')` */
  findKind(apiVersion: string, kind: string): ServedResource | undefined;
  /** By the store's name for it: `pods`, `deployments.apps`. */
  findGroupResource(groupResource: string): ResourceDefinition | undefined;
}

export function schemaOf(resource: Pick<ResourceDefinition, 'identity' | 'schema' | 'structural'>): Schema {
  const { identity, structural, schema } = resource;
  if (structural === undefined) return definition(schema);
  return schemaOfStructural(structural, { apiVersion: apiVersionOf(identity), kind: identity.kind });
}

function servedForms(resource: ResourceDefinition): ServedResource[] {
  // A schema is made on first use: a cold start does not pay for kinds that nobody asks for.
  const lazily = (make: () => Schema, rest: Omit<ServedResource, 'schema'>): ServedResource => {
    let made: Schema | undefined;
    return {
      ...rest,
      get schema() {
        made ??= make();
        return made;
      },
    };
  };
  const { fromStored, listKind, subresources, conversion } = resource;
  if (conversion !== undefined) {
    const versions = [...conversion.versions.values()].filter((each) => each.served);
    const forms = versions.map(({ definition: plain }) => {
      const isOwn = plain.identity.version === resource.identity.version;
      const converting = isOwn ? resource : { ...plain, conversion };
      const { identity, listKind: list, subresources: parts } = plain;
      return lazily(() => schemaOf(plain), {
        definition: converting,
        identity,
        listKind: list,
        subresources: parts,
      });
    });
    return forms.sort((a, b) => Number(b.definition === resource) - Number(a.definition === resource));
  }
  const own = lazily(() => schemaOf(resource), {
    definition: resource,
    identity: resource.identity,
    listKind,
    subresources,
    convert:
      fromStored === undefined
        ? undefined
        : { fromStored: fromStored as (object: unknown) => JsonObject, toStored: (object) => object },
  });
  const others = (resource.alsoServedAs ?? []).map((form) => {
    const { identity } = form;
    const custom = form.definition as ResourceDefinition | undefined;
    return lazily(() => (custom === undefined ? definition(form.schema) : schemaOf({ ...custom, identity })), {
      definition: custom ?? resource,
      identity,
      listKind: custom?.listKind ?? `${identity.kind}List`,
      subresources: custom?.subresources ?? [],
      convert: form as unknown as NonNullable<ServedResource['convert']>,
    });
  });
  return resource.unserved ? others : [own, ...others];
}

export function catalogOf(
  builtIn: readonly ResourceDefinition[] = DEFINITIONS,
  custom: readonly ResourceDefinition[] = [],
): Catalog {
  const definitions = [...builtIn, ...custom];
  const served = definitions.flatMap(servedForms);
  const byResource = new Map<string, ServedResource>();
  const byKind = new Map<string, ServedResource>();
  for (const each of served) {
    const { identity } = each;
    const apiVersion = apiVersionOf(identity);
    // The first wins: a custom resource cannot take a built-in one's place.
    if (!byResource.has(`${apiVersion} ${identity.resource}`))
      byResource.set(`${apiVersion} ${identity.resource}`, each);
    if (!byKind.has(`${apiVersion} ${identity.kind}`)) byKind.set(`${apiVersion} ${identity.kind}`, each);
  }
  const byGroupResource = new Map(definitions.toReversed().map((each) => [groupResourceOf(each.identity), each]));
  return {
    definitions,
    served,
    findResource: (group, version, resource) => byResource.get(`${apiVersionOf({ group, version })} ${resource}`),
    findKind: (apiVersion, kind) => byKind.get(`${apiVersion} ${kind}`),
    findGroupResource: (groupResource) => byGroupResource.get(groupResource),
  };
}
