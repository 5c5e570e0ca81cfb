import { describe, expect, test } from 'vitest';
import type { Node, Pod, Taint } from '../../../shared/api/core.ts';
import { seenOf } from '../../../worker/scheduler/candidates.ts';
import { PLUGINS } from '../../../worker/scheduler/catalog.ts';
import { type Decision, decide } from '../../../worker/scheduler/decision.ts';
import type { Candidate } from '../../../worker/scheduler/plugin.ts';
import { node, pod } from '../../support/builders.ts';

const GI = 1024 ** 3;

const candidate = (subject: Node, more: Partial<Candidate> = {}): Candidate => ({
  ...seenOf(subject),
  requested: {},
  hostPorts: new Set(),
  siblings: new Map(),
  pods: [],
  ...more,
});

const first = () => 0;
const decideFor = (subject: Pod, candidates: Candidate[], random = first): Decision =>
  decide(subject, candidates, PLUGINS, random);
const asking = (requests: Record<string, string>) =>
  pod('p', { spec: { containers: [{ name: 'main', resources: { requests } }] } });
const tainted = (name: string, ...taints: Taint[]) => candidate(node(name, { spec: { taints } }));

describe('a pod that fits nowhere is told why', () => {
  const cordoned = candidate(node('m1', { spec: { unschedulable: true } }));
  const secret: Taint = { key: 'team', value: 'red', effect: 'NoSchedule' };
  const unreachable: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' };
  const notHelpful = (count: number) =>
    `preemption: 0/${count} nodes are available: ${count} Preemption is not helpful for scheduling.`;
  const noVictims = (count: number) =>
    `preemption: 0/${count} nodes are available: ${count} No preemption victims found for incoming pod.`;

  test.each<[string, Pod, Candidate[], string]>([
    ['when there are no nodes', pod('p'), [], 'no nodes available to schedule pods'],
    [
      'by cordoned nodes',
      pod('p'),
      [cordoned],
      `0/1 nodes are available: 1 node(s) were unschedulable. ${notHelpful(1)}`,
    ],
    [
      'by taints, each named',
      pod('p'),
      [tainted('m1', secret), tainted('m2', secret), tainted('m3', unreachable)],
      `0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 2 node(s) had untolerated taint {team: red}. ${notHelpful(3)}`,
    ],
    [
      'by selectors',
      pod('p', { spec: { nodeSelector: { disk: 'ssd' } } }),
      [candidate(node('m1'))],
      `0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. ${notHelpful(1)}`,
    ],
    [
      'by resources that other pods have, several of one node each counted',
      asking({ cpu: '3', memory: '6Gi' }),
      [candidate(node('m1'), { requested: { cpu: 2000, memory: 4 * GI, pods: 1 } })],
      `0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. ${noVictims(1)}`,
    ],
    [
      'by resources that no node has',
      asking({ 'nvidia.com/gpu': '1' }),
      [candidate(node('m1'))],
      `0/1 nodes are available: 1 Insufficient nvidia.com/gpu. ${notHelpful(1)}`,
    ],
    [
      'by the number of pods',
      pod('p'),
      [candidate(node('m1'), { requested: { pods: 110 } })],
      `0/1 nodes are available: 1 Too many pods. ${noVictims(1)}`,
    ],
    [
      'by host ports',
      pod('p', { spec: { containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort: 80 }] }] } }),
      [candidate(node('m1'), { hostPorts: new Set(['TCP/0.0.0.0/80']) })],
      `0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. ${noVictims(1)}`,
    ],
    [
      'with one reason for a node, the first, and sorted',
      asking({ cpu: '8' }),
      [candidate(node('m1')), tainted('m2', secret), tainted('m3', secret)],
      `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {team: red}. ${notHelpful(3)}`,
    ],
  ])('%s', (_name, subject, candidates, refusal) => {
    expect(decideFor(subject, candidates)).toEqual({ refusal });
  });
});

describe('a pod fits', () => {
  const secret: Taint = { key: 'team', value: 'red', effect: 'NoSchedule' };

  test.each<[string, Pod]>([
    ['with a toleration of key and value', pod('p', { spec: { tolerations: [{ key: 'team', value: 'red' }] } })],
    ['with a toleration of the key', pod('p', { spec: { tolerations: [{ key: 'team', operator: 'Exists' }] } })],
    ['with a toleration of everything', pod('p', { spec: { tolerations: [{ operator: 'Exists' }] } })],
  ])('%s', (_name, subject) => {
    expect(decideFor(subject, [tainted('m1', secret)])).toEqual({ node: 'm1' });
  });

  test('on another address of the same port', () => {
    const subject = pod('p', {
      spec: { containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.2' }] }] },
    });
    const taken = (port: string) => candidate(node('m1'), { hostPorts: new Set([port]) });
    expect(decideFor(subject, [taken('TCP/10.0.0.1/80')])).toEqual({ node: 'm1' });
    expect(decideFor(subject, [taken('UDP/10.0.0.2/80')])).toEqual({ node: 'm1' });
    expect(decideFor(subject, [taken('TCP/0.0.0.0/80')])).toHaveProperty('refusal');
  });

  test.each([
    ['In', ['a', 'b'], true],
    ['In', ['c'], false],
    ['NotIn', ['c'], true],
    ['Exists', undefined, true],
    ['DoesNotExist', undefined, false],
  ] as const)('where required affinity %s %j says %s', (operator, values, fits) => {
    const matchExpressions = [{ key: 'zone', operator, ...(values ? { values: [...values] } : {}) }];
    const affinity = {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
    };
    const subject = pod('p', { spec: { affinity } });
    expect('node' in decideFor(subject, [candidate(node('m1', { labels: { zone: 'a' } }))])).toBe(fits);
  });

  test('exactly to the last thousandth of a core', () => {
    const almostFull = candidate(node('m1'), { requested: { cpu: 3500 } });
    expect(decideFor(asking({ cpu: '500m' }), [almostFull])).toEqual({ node: 'm1' });
    expect(decideFor(asking({ cpu: '501m' }), [almostFull])).toHaveProperty('refusal');
  });
});

describe('among nodes that fit', () => {
  test('the emptier one is chosen', () => {
    const full = candidate(node('m1'), { requested: { cpu: 3000, memory: 6 * GI } });
    expect(decideFor(pod('p'), [full, candidate(node('m2'))])).toEqual({ node: 'm2' });
  });

  test('the one with fewer pods of the same owner is chosen', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs', controller: true };
    const subject = pod('p', { metadata: { ownerReferences: [owner] } });
    const crowded = candidate(node('m1'), { siblings: new Map([['rs', 2]]) });
    const sparse = candidate(node('m2'), { siblings: new Map([['rs', 1]]) });
    expect(decideFor(subject, [crowded, sparse])).toEqual({ node: 'm2' });
  });

  test('the one that has the image is chosen', () => {
    const images = [{ names: ['nginx:1'], sizeBytes: 900 * 1024 * 1024 }];
    const warm = candidate(node('m2', { status: { images, allocatable: node('x').status?.allocatable ?? {} } }));
    expect(decideFor(pod('p'), [candidate(node('m1')), warm])).toEqual({ node: 'm2' });
  });

  test('a preferred affinity counts', () => {
    const preference = { matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] };
    const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] };
    const subject = pod('p', { spec: { affinity: { nodeAffinity } as NonNullable<Pod['spec']['affinity']> } });
    const candidates = [
      candidate(node('m1', { labels: { zone: 'a' } })),
      candidate(node('m2', { labels: { zone: 'b' } })),
    ];
    expect(decideFor(subject, candidates)).toEqual({ node: 'm2' });
  });

  test('chance decides between equals', () => {
    const equals = [candidate(node('m1')), candidate(node('m2')), candidate(node('m3'))];
    expect([0, 0.4, 0.99].map((random) => decideFor(pod('p'), equals, () => random))).toEqual([
      { node: 'm1' },
      { node: 'm2' },
      { node: 'm3' },
    ]);
  });
});
