/** Resident memory of a process, as the kernel counts it. */
import { readFileSync } from 'node:fs';

export function residentBytes(pid: number | undefined): number {
  if (pid === undefined) throw new Error('the process does not run');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Number(kilobytes) * 1024;
}
