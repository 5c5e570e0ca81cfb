/** One sample of what containers use, for `kubectl top` and eviction. The engine hides the version of cgroups but for memory. */
import type Docker from 'dockerode';
import { statusCodeOf } from './engine.ts';

export interface Usage {
  memoryBytes: number;
  cpuNano: number;
}

/** Containers that are gone or not running are left out. */
export async function sampleUsage(docker: Docker, containerIds: readonly string[]): Promise<Map<string, Usage>> {
  const samples = await Promise.all(containerIds.map(async (id) => [id, await sampleOne(docker, id)] as const));
  return new Map(samples.filter((sample): sample is [string, Usage] => sample[1] !== undefined));
}

async function sampleOne(docker: Docker, id: string): Promise<Usage | undefined> {
  try {
    // one-shot: without it the engine waits a second for a second sample.
    const stats = await docker.getContainer(id).stats({ stream: false, 'one-shot': true });
    return usageOf(stats);
  } catch (error) {
    if (statusCodeOf(error) === 404) return undefined;
    throw error;
  }
}

/**
 * The working set: what is used without the page cache that the kernel could drop. Named differently by cgroup v1 and v2.
 * Of a container that ends while it is asked about, the engine tells the name and no figures.
 */
export function usageOf(stats: Partial<Docker.ContainerStats>): Usage | undefined {
  const { usage, stats: details } = stats.memory_stats ?? {};
  if (usage === undefined || stats.cpu_stats === undefined) return undefined;
  const named: Record<string, number | undefined> = { ...details };
  const droppable = named.total_inactive_file ?? named.inactive_file ?? 0;
  return { memoryBytes: Math.max(0, usage - droppable), cpuNano: stats.cpu_stats.cpu_usage.total_usage };
}
