/**
 * Whether a write is one that a webhook or a policy speaks of: its rules, its selectors. Match conditions, which are CEL,
 * are judged by whoever asks.
 * Source: apiserver, pkg/admission/plugin/webhook/predicates
 */
import type { MatchResources, RuleWithOperations } from '../../shared/api/admissionregistration.ts';
import type { Identity, KubeObject, LabelSelector } from '../../shared/api/meta.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { Admission } from './plugin.ts';

/** Kinds that configure admission are never judged by what they configure: whoever breaks it can always repair it. */
export const isExempt = ({ definition }: Admission): boolean =>
  definition.identity.group === 'admissionregistration.k8s.io';

const includes = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes('*') === true || list?.includes(value) === true;

function resourceMatches(resources: readonly string[] | undefined, resource: string, part: string): boolean {
  return (resources ?? []).some((each) => {
    const [name, of = ''] = each.split('/', 2);
    return (name === '*' || name === resource) && (of === '*' || of === part);
  });
}

function scopeMatches(scope: string | undefined, namespaced: boolean): boolean {
  return scope === undefined || scope === '*' || (scope === 'Namespaced') === namespaced;
}

function ruleMatches(rule: RuleWithOperations, admission: Admission, form: Identity): boolean {
  const { group, version, resource, namespaced } = form;
  return (
    includes(rule.operations, admission.operation) &&
    includes(rule.apiGroups, group) &&
    includes(rule.apiVersions, version) &&
    resourceMatches(rule.resources, resource, admission.subresource) &&
    scopeMatches(rule.scope, namespaced)
  );
}

function otherForms({ identity, alsoServedAs = [], conversion }: ResourceDefinition): Identity[] {
  if (conversion === undefined) return alsoServedAs.map((each) => each.identity);
  return [...conversion.versions.values()]
    .filter((each) => each.served && each.definition.identity.version !== identity.version)
    .map((each) => each.definition.identity);
}

/** The form of the object in which some rule speaks of it; the one that is written first. Undefined: no rule does. */
export function matchingForm(
  rules: readonly RuleWithOperations[] | undefined,
  matchPolicy: string | undefined,
  admission: Admission,
): Identity | undefined {
  const { identity } = admission.definition;
  const others = matchPolicy === 'Exact' ? [] : otherForms(admission.definition);
  return [identity, ...others].find((form) => (rules ?? []).some((rule) => ruleMatches(rule, admission, form)));
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  selector === undefined ||
  (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);

const isNamespace = ({ definition: { identity } }: Admission): boolean =>
  identity.group === '' && identity.kind === 'Namespace';

/** The namespace that a write is about: of the object, or the object itself. */
export function namespaceOf(admission: Admission): KubeObject | undefined {
  if (isNamespace(admission)) return admission.operation === 'DELETE' ? admission.current : admission.draft;
  return admission.namespace === '' ? undefined : admission.reader.get('namespaces', '', admission.namespace);
}

export function selectorsMatch(
  selectors: Pick<MatchResources, 'namespaceSelector' | 'objectSelector'>,
  admission: Admission,
): boolean {
  const { namespaceSelector, objectSelector } = selectors;
  const placed = isNamespace(admission) || admission.namespace !== '';
  if (!isEmpty(namespaceSelector) && placed) {
    if (!matchesLabelSelector(namespaceSelector, namespaceOf(admission)?.metadata.labels)) return false;
  }
  if (isEmpty(objectSelector)) return true;
  // Kubernetes: what has no metadata, as the options of a stream, has no labels that could be looked for.
  return [admission.draft, admission.current].some(
    (object) => object?.metadata !== undefined && matchesLabelSelector(objectSelector, object.metadata.labels),
  );
}

function named(rules: MatchResources['resourceRules'], admission: Admission): RuleWithOperations[] {
  return (rules ?? []).filter(
    ({ resourceNames = [] }) => resourceNames.length === 0 || resourceNames.includes(admission.name),
  );
}

/** @returns the form in which the resources speak of the write; without rules they speak of everything. */
export function matchResources(resources: MatchResources, admission: Admission): Identity | undefined {
  if (!selectorsMatch(resources, admission)) return undefined;
  const { resourceRules, excludeResourceRules, matchPolicy } = resources;
  if (matchingForm(named(excludeResourceRules, admission), matchPolicy, admission) !== undefined) return undefined;
  if (!resourceRules?.length) return admission.definition.identity;
  return matchingForm(named(resourceRules, admission), matchPolicy, admission);
}
