/**
 * RBAC's rules as pure functions: what a rule allows, and whether some rules cover others. Who has which rules is
 * `policy.ts`.
 * Source: kubernetes, pkg/apis/rbac/v1/evaluation_helpers.go and component-helpers/auth/rbac/validation/policy_comparator.go
 */
import type { PolicyRule } from '../../../shared/api/rbac.ts';

/** What is asked, as authorization.k8s.io's ResourceAttributes or NonResourceAttributes. */
export interface AccessRequest {
  verb: string;
  isResource: boolean;
  group: string;
  resource: string;
  subresource: string;
  /** '' for what has none. */
  namespace: string;
  /** '' for collections. */
  name: string;
  /** Where it is no resource. */
  path: string;
}

const ALL = '*';

const hasOrAll = (list: readonly string[] | undefined, wanted: string): boolean =>
  list !== undefined && (list.includes(ALL) || list.includes(wanted));

export function ruleAllows(rule: PolicyRule, request: AccessRequest): boolean {
  if (!hasOrAll(rule.verbs, request.verb)) return false;
  if (!request.isResource) return (rule.nonResourceURLs ?? []).some((each) => urlCovers(each, request.path));
  if (!hasOrAll(rule.apiGroups, request.group)) return false;
  const { resourceNames = [] } = rule;
  if (resourceNames.length > 0 && !resourceNames.includes(request.name)) return false;
  return (rule.resources ?? []).some((each) => resourceMatches(each, request));
}

// Kubernetes: `*/scale` is that subresource of everything, but `pods/*` is only the subresource called `*`.
function resourceMatches(ruled: string, { resource, subresource }: AccessRequest): boolean {
  if (ruled === ALL) return true;
  if (subresource === '') return ruled === resource;
  return ruled === `${resource}/${subresource}` || ruled === `*/${subresource}`;
}

function urlCovers(ruled: string, path: string): boolean {
  return ruled === path || (ruled.endsWith(ALL) && path.startsWith(ruled.replace(/\*+$/, '')));
}

// ---- Covering -----------------------------------------------------------------------------------------------------

/** The parts of `asked`, one verb of one thing each, that no rule of `held` covers. */
export function uncovered(held: readonly PolicyRule[], asked: readonly PolicyRule[]): PolicyRule[] {
  return asked.flatMap(breakDown).filter((part) => !held.some((rule) => covers(rule, part)));
}

function breakDown(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const part = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (rule.resourceNames?.length) {
          parts.push(...rule.resourceNames.map((name) => ({ ...part, resourceNames: [name] })));
        } else parts.push(part);
      }
    }
    parts.push(...(rule.nonResourceURLs ?? []).map((url) => ({ verbs: [verb], nonResourceURLs: [url] })));
  }
  return parts;
}

/** @param part of one verb and one thing */
function covers(rule: PolicyRule, part: PolicyRule): boolean {
  const within = (list: readonly string[] | undefined, wanted: readonly string[] | undefined) =>
    (wanted ?? []).every((each) => hasOrAll(list, each));
  if (!within(rule.verbs, part.verbs)) return false;
  if (part.nonResourceURLs !== undefined) {
    return part.nonResourceURLs.every((url) => (rule.nonResourceURLs ?? []).some((each) => urlCovers(each, url)));
  }
  const names = rule.resourceNames ?? [];
  if (names.length > 0 && !part.resourceNames?.every((name) => names.includes(name))) return false;
  return within(rule.apiGroups, part.apiGroups) && (part.resources ?? []).every((each) => coversResource(rule, each));
}

function coversResource({ resources = [] }: PolicyRule, wanted: string): boolean {
  if (hasOrAll(resources, wanted)) return true;
  const slash = wanted.indexOf('/');
  return slash !== -1 && resources.includes(`*${wanted.slice(slash)}`);
}

// ---- In words -------------------------------------------------------------------------------------------------------

/** Rules about one resource joined into one with all their verbs, each as upstream writes it, sorted. */
export function describeRules(rules: readonly PolicyRule[]): string[] {
  const joined = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...about } = rule;
    const key = JSON.stringify(about);
    const known = joined.get(key);
    if (known === undefined) joined.set(key, { ...rule, verbs: [...verbs] });
    // Kubernetes: only rules about resources are joined.
    else if (rule.nonResourceURLs !== undefined) joined.set(`${key}${verbs.join()}`, rule);
    else known.verbs.push(...verbs.filter((verb) => !known.verbs.includes(verb)));
  }
  return [...new Set([...joined.values()].map(describeRule))].sort();
}

/** As Go's %q writes a list of strings. */
export const quoted = (list: readonly string[]): string => `[${list.map((each) => JSON.stringify(each)).join(' ')}]`;

function describeRule(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  const said = parts.filter(([, list]) => list?.length).map(([name, list]) => `${name}:${quoted(list ?? [])}`);
  return `{${said.join(', ')}}`;
}
