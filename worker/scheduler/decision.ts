/**
 * Where one pod goes, out of all candidates: filters, then scores, then chance among the best; or why it goes nowhere, in
 * upstream's words. Pure; who reads candidates and writes the outcome is `scheduler.ts`.
 * Source: k8s.io/kubernetes/pkg/scheduler/{schedule_one.go,framework/types.go}
 */
import type { Pod } from '../../shared/api/core.ts';
import type { Candidate, ClusterView, Refusal, SchedulingPlugin } from './plugin.ts';

export type Decision = { node: string } | { refusal: string };

export function decide(
  pod: Pod,
  candidates: readonly Candidate[],
  rules: readonly SchedulingPlugin[],
  random: () => number,
  view: ClusterView = { namespaceLabels: () => ({}) },
): Decision {
  if (candidates.length === 0) return { refusal: 'no nodes available to schedule pods' };
  const plugins = rules.map((rule) =>
    rule.prepare === undefined ? rule : (rule.prepare(pod, candidates, view) ?? {}),
  );
  const refusals: Refusal[] = [];
  const fitting: Candidate[] = [];
  for (const candidate of candidates) {
    const refusal = firstRefusal(pod, candidate, plugins);
    if (refusal === undefined) fitting.push(candidate);
    else refusals.push(refusal);
  }
  const best = pickBest(pod, fitting, plugins, random);
  return best === undefined ? { refusal: explain(refusals) } : { node: best.node.metadata.name };
}

type Prepared = Pick<SchedulingPlugin, 'filter' | 'score'>;

function firstRefusal(pod: Pod, candidate: Candidate, plugins: readonly Prepared[]): Refusal | undefined {
  for (const plugin of plugins) {
    const refusal = plugin.filter?.(pod, candidate);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function pickBest(
  pod: Pod,
  fitting: readonly Candidate[],
  plugins: readonly Prepared[],
  random: () => number,
): Candidate | undefined {
  if (fitting.length <= 1) return fitting[0];
  const totals = fitting.map(() => 0);
  for (const { score } of plugins) {
    if (score === undefined) continue;
    const raw = fitting.map((candidate) => score.of(pod, candidate));
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
