/** How far down this host lets a process's OOM score go. The engine fails to start what asks for less. */
import { readFileSync } from 'node:fs';

const CAP_SYS_RESOURCE = 24n;
const LOWEST = -1000;

/** Whoever lacks CAP_SYS_RESOURCE (as inside some virtual machines and containers) may only raise the score that it has. */
export function lowestOomScore(
  status: string = readFileSync('/proc/self/status', 'utf8'),
  ownScore: string = readFileSync('/proc/self/oom_score_adj', 'utf8'),
): number {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (effective >> CAP_SYS_RESOURCE) & 1n ? LOWEST : Number(ownScore.trim());
}
