/** Rules about other pods: affinity, anti-affinity, spreading. */
import { describe, expect, test } from 'vitest';
import type { Node, Pod, PodAffinityTerm, PodSpec } from '../../../shared/api/core.ts';
import { PODS } from '../../../shared/api/core.ts';
import { seenOf } from '../../../worker/scheduler/candidates.ts';
import { PLUGINS } from '../../../worker/scheduler/catalog.ts';
import { decide } from '../../../worker/scheduler/decision.ts';
import type { Candidate } from '../../../worker/scheduler/plugin.ts';
import { node, pod } from '../../support/builders.ts';
import { addNode, controlPlane, podsOf } from '../controllers/control-plane.ts';

const labelled = (name: string, labels: Record<string, string>, spec: Partial<PodSpec> = {}): Pod => {
  const made = pod(name, { spec });
  return { ...made, metadata: { ...made.metadata, labels } };
};
const zoned = (name: string, zone: string | undefined): Node => {
  const made = node(name);
  const labels = { 'kubernetes.io/hostname': name, ...(zone === undefined ? {} : { zone }) };
  return { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, ...labels } } };
};
const candidate = (subject: Node, pods: Pod[] = []): Candidate => ({
  ...seenOf(subject),
  requested: {},
  hostPorts: new Set(),
  siblings: new Map(),
  pods,
});
const outcome = (subject: Pod, candidates: Candidate[], namespaces: Record<string, Record<string, string>> = {}) => {
  const view = {
    repelling: () => candidates.flatMap(({ node: on, pods }) => pods.map((each) => ({ node: on, pod: each }))),
    namespaceLabels: (name: string) => namespaces[name] ?? {},
  };
  const decision = decide(subject, candidates, PLUGINS, () => 0, view);
  return 'node' in decision ? decision.node : decision.refusal.replace(/\. preemption:.*/, '');
};

const term = (app: string, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  labelSelector: { matchLabels: { app } },
  topologyKey: 'zone',
  ...more,
});
const near = (...terms: PodAffinityTerm[]) => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const far = (...terms: PodAffinityTerm[]) => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});

describe('pod affinity', () => {
  const db = labelled('db', { app: 'db' });
  const nodes = () => [
    candidate(zoned('m1', 'a')),
    candidate(zoned('m2', 'b'), [db]),
    candidate(zoned('m3', undefined)),
  ];

  test('brings a pod into the zone of another', () => {
    expect(outcome(labelled('web', { app: 'web' }, near(term('db'))), nodes())).toBe('m2');
  });

  test('keeps a pod waiting where there is no such other', () => {
    expect(outcome(labelled('web', { app: 'web' }, near(term('cache'))), nodes())).toBe(
      "0/3 nodes are available: 3 node(s) didn't match pod affinity rules",
    );
  });

  test('lets the first of a group go where there is such a topology', () => {
    expect(outcome(labelled('web', { app: 'web' }, near(term('web'))), nodes())).toMatch(/^m[12]$/);
  });

  test('means the own namespace, named ones, or those with labels', () => {
    const other = { ...db, metadata: { ...db.metadata, namespace: 'other' } };
    const there = [candidate(zoned('m1', 'a'), [other])];
    const ask = (more: Partial<PodAffinityTerm>, labels = {}) =>
      outcome(labelled('web', { app: 'web' }, near(term('db', more))), there, { other: labels });
    expect(ask({})).toMatch(/didn't match pod affinity rules/);
    expect(ask({ namespaces: ['other'] })).toBe('m1');
    expect(ask({ namespaceSelector: {} })).toBe('m1');
    expect(ask({ namespaceSelector: { matchLabels: { team: 'x' } } })).toMatch(/didn't match/);
    expect(ask({ namespaceSelector: { matchLabels: { team: 'x' } } }, { team: 'x' })).toBe('m1');
  });

  test('of the preferring kind only weighs', () => {
    const preferring = (weight: number, kind: 'podAffinity' | 'podAntiAffinity') => ({
      affinity: {
        [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm: term('db') }] },
      },
    });
    expect(outcome(labelled('web', {}, preferring(100, 'podAffinity')), nodes())).toBe('m2');
    expect(outcome(labelled('web', {}, preferring(100, 'podAntiAffinity')), nodes())).not.toBe('m2');
  });
});

describe('pod anti-affinity', () => {
  const web = labelled('web-1', { app: 'web' });

  test('keeps a pod away from others', () => {
    const subject = labelled('web-2', { app: 'web' }, far(term('web')));
    expect(outcome(subject, [candidate(zoned('m1', 'a'), [web]), candidate(zoned('m2', 'b'))])).toBe('m2');
    expect(outcome(subject, [candidate(zoned('m1', 'a'), [web]), candidate(zoned('m2', 'a'))])).toBe(
      "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules",
    );
  });

  test('of a pod that is there keeps others away', () => {
    const loner = labelled('loner', { app: 'loner' }, far(term('web')));
    expect(outcome(web, [candidate(zoned('m1', 'a'), [loner])])).toBe(
      "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules",
    );
    expect(outcome(labelled('db', { app: 'db' }), [candidate(zoned('m1', 'a'), [loner])])).toBe('m1');
  });
});

describe('topology spread constraints', () => {
  const web = (index: number) => labelled(`web-${index}`, { app: 'web' });
  const spread = (more = {}): Partial<PodSpec> => ({
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'web' } },
        ...more,
      },
    ],
  });
  const nodes = () => [candidate(zoned('m1', 'a'), [web(1)]), candidate(zoned('m2', 'b'))];

  test('send a pod where there are fewest like it', () => {
    expect(outcome(labelled('p', { app: 'web' }, spread()), nodes())).toBe('m2');
  });

  test('refuse where the skew would grow too large, or the label is missing', () => {
    const cordoned = zoned('m2', 'b');
    cordoned.spec = { ...cordoned.spec, unschedulable: true };
    const all = [candidate(zoned('m1', 'a'), [web(1)]), candidate(cordoned), candidate(zoned('m3', undefined))];
    expect(outcome(labelled('p', { app: 'web' }, spread()), all)).toBe(
      "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) were unschedulable",
    );
    expect(outcome(labelled('p', { app: 'web' }, spread({ maxSkew: 2 })), all)).toBe('m1');
  });

  test('ask for so many domains', () => {
    expect(outcome(labelled('p', { app: 'web' }, spread({ minDomains: 3 })), nodes())).toBe('m2');
    const full = [candidate(zoned('m1', 'a'), [web(1)]), candidate(zoned('m2', 'b'), [web(2)])];
    expect(outcome(labelled('p', { app: 'web' }, spread({ minDomains: 3 })), full)).toMatch(/topology spread/);
    expect(outcome(labelled('p', { app: 'web' }, spread()), full)).toMatch(/^m[12]$/);
  });

  test('of the soft kind only weigh', () => {
    const soft = spread({ whenUnsatisfiable: 'ScheduleAnyway' });
    expect(outcome(labelled('p', { app: 'web' }, soft), nodes())).toBe('m2');
    expect(outcome(labelled('p', { app: 'web' }, soft), [candidate(zoned('m1', 'a'), [web(1), web(2)])])).toBe('m1');
  });
});

test('a pod that waits for company goes when the company comes, and no alarm is left', () => {
  const plane = controlPlane();
  const make = (name: string, more: Partial<PodSpec> = {}) =>
    plane.do((objects) =>
      objects.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'nginx' }], ...more },
      }),
    );
  addNode(plane, 'm1');
  plane.do((objects) => objects.list(PODS));
  make('web', near(term('db', { topologyKey: 'kubernetes.io/hostname' })));
  expect(podsOf(plane)[0]?.spec.nodeName).toBeUndefined();
  make('db');
  plane.pass(1000);
  expect(podsOf(plane).map((each) => each.spec.nodeName)).toEqual(['m1', 'm1']);
});
