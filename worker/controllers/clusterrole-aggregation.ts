/**
 * A ClusterRole with an aggregationRule has the rules of all ClusterRoles that its selectors choose, in the order of their
 * names, each once.
 * Source: kubernetes, pkg/controller/clusterroleaggregation
 */
import { CLUSTER_ROLES, type ClusterRole, type PolicyRule } from '../../shared/api/rbac.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import type { Objects } from '../registry/objects.ts';
import { AGGREGATED_ENTRY } from '../resources/clusterroles.ts';
import { type Controller, source } from './controller.ts';
import { isEqual } from './equality.ts';

/** Keys are names. */
export const clusterRoleAggregation: Controller = {
  name: 'clusterrole-aggregation',
  account: 'clusterrole-aggregation-controller',
  sources: [
    source(CLUSTER_ROLES, ({ type, object, previous }, objects) => {
      if (type === 'MODIFIED' && isEqual(facts(object), previous && facts(previous))) return [];
      const own = type !== 'DELETED' && object.aggregationRule !== undefined ? [object.metadata.name] : [];
      return [...own, ...chosenBy(object, objects), ...(previous === undefined ? [] : chosenBy(previous, objects))];
    }),
  ],
  reconcile(name, { objects }) {
    const current = objects.get(CLUSTER_ROLES, '', name);
    if (current?.aggregationRule === undefined || current.metadata.deletionTimestamp !== undefined) return;
    const rules = aggregatedRules(current, objects.list(CLUSTER_ROLES));
    if (!isEqual(rules, current.rules ?? [])) objects.update(CLUSTER_ROLES, { ...current, rules });
  },
};

/** What another role's rules depend on. */
const facts = ({ metadata, rules, aggregationRule }: ClusterRole) => [metadata.labels, rules, aggregationRule];

const chooses = (aggregated: ClusterRole, role: ClusterRole): boolean =>
  (aggregated.aggregationRule?.clusterRoleSelectors ?? []).some((each) =>
    matchesLabelSelector(each, role.metadata.labels ?? {}),
  );

function chosenBy(role: ClusterRole, objects: Objects): string[] {
  return objects
    .list(CLUSTER_ROLES, { having: [AGGREGATED_ENTRY] })
    .filter((each) => each.metadata.name !== role.metadata.name && chooses(each, role))
    .map((each) => each.metadata.name);
}

function aggregatedRules(aggregated: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const rules: PolicyRule[] = [];
  const chosen = all.filter((each) => each.metadata.name !== aggregated.metadata.name && chooses(aggregated, each));
  for (const role of chosen.sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1))) {
    for (const rule of role.rules ?? []) if (!rules.some((known) => isEqual(known, rule))) rules.push(rule);
  }
  return rules;
}
