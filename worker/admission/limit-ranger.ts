/**
 * Defaults and bounds of a namespace's LimitRanges, for pods and their containers, and for claims of volumes.
 * Source: kubernetes, plugin/pkg/admission/limitranger
 */
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '../../shared/api/core.ts';
import { forbidden } from '../../shared/errors.ts';
import { compareQuantities, quantityMilliValue } from '../../shared/quantity.ts';
import { type Admission, type AdmissionPlugin, isOf, isResize } from './plugin.ts';
import { type Quantities, resourcesOfPod } from './quota-usage.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

const limitRangesOf = ({ reader, namespace }: Admission): LimitRange[] =>
  reader.list('limitranges', { namespace }) as LimitRange[];

// ---- Defaults ---------------------------------------------------------------------------------------------------

/** What was filled in, for the annotation: `cpu, memory request for container a`. */
function fillIn(container: Container, item: LimitRangeItem, what: string): string[] {
  const said: string[] = [];
  const pairs = [
    ['requests', 'request', item.defaultRequest],
    ['limits', 'limit', item.default],
  ] as const;
  container.resources ??= {};
  for (const [list, word, defaults] of pairs) {
    const missing = Object.keys(defaults ?? {}).filter((name) => container.resources?.[list]?.[name] === undefined);
    if (missing.length === 0) continue;
    const added = Object.fromEntries(missing.map((name) => [name, defaults?.[name] ?? '0']));
    container.resources[list] = { ...container.resources[list], ...added };
    said.push(`${missing.sort().join(', ')} ${word} for ${what} ${container.name}`);
  }
  return said;
}

function setDefaults(pod: Pod, ranges: readonly LimitRange[]): void {
  const said: string[] = [];
  for (const item of ranges.flatMap((range) => range.spec.limits ?? [])) {
    if (item.type !== 'Container') continue;
    for (const container of pod.spec.containers ?? []) said.push(...fillIn(container, item, 'container'));
    for (const container of pod.spec.initContainers ?? []) said.push(...fillIn(container, item, 'init container'));
  }
  if (said.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${said.join('; ')}`,
  };
}

// ---- Bounds -----------------------------------------------------------------------------------------------------

interface Asked {
  requests: Quantities;
  limits: Quantities;
}

const isMore = (left: string, right: string): boolean => compareQuantities(left, right) > 0;

function belowMin(item: LimitRangeItem, { requests, limits }: Asked): string[] {
  return Object.entries(item.min ?? {}).flatMap(([name, bound]) => {
    const text = `minimum ${name} usage per ${item.type} is ${bound}`;
    const request = requests[name];
    const limit = limits[name];
    if (request === undefined) return [`${text}.  No request is specified`];
    if (isMore(bound, request)) return [`${text}, but request is ${request}`];
    return limit !== undefined && isMore(bound, limit) ? [`${text}, but limit is ${limit}`] : [];
  });
}

function aboveMax(item: LimitRangeItem, { requests, limits }: Asked): string[] {
  return Object.entries(item.max ?? {}).flatMap(([name, bound]) => {
    const text = `maximum ${name} usage per ${item.type} is ${bound}`;
    const request = requests[name];
    const limit = limits[name];
    if (item.type === 'PersistentVolumeClaim') {
      if (request === undefined) return [`${text}.  No request is specified`];
      return isMore(request, bound) ? [`${text}, but request is ${request}`] : [];
    }
    if (limit === undefined) return [`${text}.  No limit is specified`];
    if (isMore(limit, bound)) return [`${text}, but limit is ${limit}`];
    return request !== undefined && isMore(request, bound) ? [`${text}, but request is ${request}`] : [];
  });
}

function aboveRatio(item: LimitRangeItem, { requests, limits }: Asked): string[] {
  return Object.entries(item.maxLimitRequestRatio ?? {}).flatMap(([name, bound]) => {
    const text = `${name} max limit to request ratio per ${item.type} is ${bound}`;
    const request = quantityMilliValue(requests[name] ?? '0');
    const limit = quantityMilliValue(limits[name] ?? '0');
    if (request === 0) return [`${text}, but no request is specified or request is 0`];
    if (limit === 0) return [`${text}, but no limit is specified or limit is 0`];
    const ratio = limit / request;
    return ratio * 1000 > quantityMilliValue(bound) ? [`${text}, but provided ratio is ${ratio.toFixed(6)}`] : [];
  });
}

const askedBy = ({ resources }: Container): Asked => ({
  requests: resources?.requests ?? {},
  limits: resources?.limits ?? {},
});

function problemsOf(item: LimitRangeItem, draft: Pod | PersistentVolumeClaim): string[] {
  const check = (asked: Asked): string[] => [
    ...belowMin(item, asked),
    ...aboveMax(item, asked),
    ...aboveRatio(item, asked),
  ];
  if (draft.kind === 'PersistentVolumeClaim') {
    if (item.type !== 'PersistentVolumeClaim') return [];
    const requests = (draft as PersistentVolumeClaim).spec.resources?.requests ?? {};
    return [...belowMin(item, { requests, limits: {} }), ...aboveMax(item, { requests, limits: {} })];
  }
  const { spec } = draft as Pod;
  if (item.type === 'Container') {
    return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap((each) => check(askedBy(each)));
  }
  if (item.type !== 'Pod') return [];
  return check({ requests: resourcesOfPod({ spec }, 'requests'), limits: resourcesOfPod({ spec }, 'limits') });
}

/** Go's aggregate of errors: one as it is, several in brackets, each once. */
export function aggregated(problems: readonly string[]): string {
  const unique = [...new Set(problems)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
}

export const limitRanger: AdmissionPlugin = {
  name: 'LimitRanger',
  admit(admission) {
    const asks = admission.operation === 'CREATE' ? isOf(admission, 'Pod') : isResize(admission);
    if (!asks || admission.draft === undefined) return;
    setDefaults(admission.draft as Pod, limitRangesOf(admission));
  },
  validate(admission) {
    const { operation, draft, definition } = admission;
    const isPod = operation === 'CREATE' ? isOf(admission, 'Pod') : isResize(admission);
    const isClaim = isOf(admission, 'PersistentVolumeClaim') && operation !== 'DELETE';
    if ((!isPod && !isClaim) || draft === undefined) return;
    const items = limitRangesOf(admission).flatMap((range) => range.spec.limits ?? []);
    const problems = items.flatMap((item) => problemsOf(item, draft as Pod | PersistentVolumeClaim));
    if (problems.length > 0) throw forbidden(definition.identity, draft.metadata.name, aggregated(problems));
  },
};
