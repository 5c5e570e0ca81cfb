import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { usageOf } from '../../../agent/runtime/stats.ts';

const cpu = { cpu_stats: { cpu_usage: { total_usage: 7 } } };
const answers: [what: string, answer: object, usage: object | undefined][] = [
  [
    'cgroup v1',
    { ...cpu, memory_stats: { usage: 100, stats: { total_inactive_file: 30, inactive_file: 1 } } },
    { memoryBytes: 70, cpuNano: 7 },
  ],
  [
    'cgroup v2',
    { ...cpu, memory_stats: { usage: 100, stats: { inactive_file: 30 } } },
    { memoryBytes: 70, cpuNano: 7 },
  ],
  ['a container that does not run', { ...cpu, memory_stats: {} }, undefined],
  ['a container that ends meanwhile, of which the engine knows the name alone', { id: 'a', name: '/a' }, undefined],
];

test.each(answers)('usage as the engine tells it: %s', (_, answer, usage) => {
  expect(usageOf(answer as Docker.ContainerStats)).toEqual(usage);
});
