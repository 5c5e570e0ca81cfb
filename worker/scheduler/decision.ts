/**
 * Where one pod goes, out of all candidates: filters, then scores, then chance among the best; or why it goes nowhere, in
 * upstream's words. Pure; who reads candidates and writes the outcome is `scheduler.ts`.
 * Source: k8s.io/kubernetes/pkg/scheduler/{schedule_one.go,framework/types.go}
 */
import type { Pod } from '../../shared/api/core.ts';
import type { Candidate, ClusterView, PreparedRule, Refusal, SchedulingPlugin } from './plugin.ts';

export type Decision = { node: string } | { refusal: string };

export function decide(
  pod: Pod,
  candidates: readonly Candidate[],
  rules: readonly SchedulingPlugin[],
  random: () => number,
  view: ClusterView = { repelling: () => [], namespaceLabels: () => ({}) },
): Decision {
  if (candidates.length === 0) return { refusal: 'no nodes available to schedule pods' };
  const prepared = rules.flatMap((rule) => rule.prepare(pod, candidates, view) ?? []);
  const filters = prepared.flatMap(({ filter }) => filter ?? []);
  const refusals: Refusal[] = [];
  const fitting: Candidate[] = [];
  const enough = enoughOf(candidates.length);
  const first = enough < candidates.length ? Math.floor(random() * candidates.length) : 0;
  for (let at = 0; at < candidates.length && fitting.length < enough; at++) {
    const candidate = candidates[(first + at) % candidates.length] as Candidate;
    const refusal = firstRefusal(candidate, filters);
    if (refusal === undefined) fitting.push(candidate);
    else refusals.push(refusal);
  }
  const best = pickBest(fitting, prepared, random);
  return best === undefined ? { refusal: explain(refusals) } : { node: best.node.metadata.name };
}

/**
 * How many nodes that fit are enough to choose among. A larger cluster looks at a smaller share of them, from a place that
 * chance picks. Kubernetes: percentageOfNodesToScore, with its defaults.
 */
export function enoughOf(nodes: number): number {
  const percent = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(Math.min(nodes, 100), Math.floor((nodes * percent) / 100));
}

function firstRefusal(
  candidate: Candidate,
  filters: readonly NonNullable<PreparedRule['filter']>[],
): Refusal | undefined {
  for (const filter of filters) {
    const refusal = filter(candidate);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function pickBest(
  fitting: readonly Candidate[],
  prepared: readonly PreparedRule[],
  random: () => number,
): Candidate | undefined {
  if (fitting.length <= 1) return fitting[0];
  const totals = fitting.map(() => 0);
  for (const { score } of prepared) {
    if (score === undefined) continue;
    const raw = fitting.map(score.of);
    const scores = score.normalise?.(raw) ?? raw;
    for (const [index, each] of scores.entries()) totals[index] = (totals[index] ?? 0) + each * score.weight;
  }
  const highest = Math.max(...totals);
  const best = fitting.filter((_candidate, index) => totals[index] === highest);
  return best[Math.floor(random() * best.length)];
}

/**
 * `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. preemption: …`: reasons counted
 * and sorted as texts; then what taking pods away could do (nothing: there are no priorities here to take them by).
 */
export function explain(refusals: readonly Refusal[]): string {
  const total = refusals.length;
  const reasons = histogram(refusals.flatMap((refusal) => refusal.reasons));
  const preemption = histogram(
    refusals.map((refusal) =>
      refusal.resolvable ? 'No preemption victims found for incoming pod' : 'Preemption is not helpful for scheduling',
    ),
  );
  return `0/${total} nodes are available: ${reasons}. preemption: 0/${total} nodes are available: ${preemption}.`;
}

function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}
