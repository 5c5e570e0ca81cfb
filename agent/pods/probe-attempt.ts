/** One try of a probe: HTTP, TCP or a command. What the outcomes mean over time is in `probes.ts`. */
import { connect } from 'node:net';
import type { Container, Probe } from '../../shared/api/core.ts';
import { grpcHealth } from './grpc-health.ts';
import { httpGet, portOf, runCommand } from './lifecycle.ts';
import type { KeeperParts } from './parts.ts';

export interface Outcome {
  ok: boolean;
  /** For the event when it is not. */
  message: string;
}

export interface ProbeTarget {
  parts: Pick<KeeperParts, 'runtime' | 'clock'>;
  container: Container;
  containerId: string;
  podIP: string;
}

const DEFAULT_TIMEOUT_SECONDS = 1;

export async function tryProbe(probe: Probe, target: ProbeTarget): Promise<Outcome> {
  const timeoutMs = (probe.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  try {
    if (probe.httpGet !== undefined) return await tryHttp(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket !== undefined) {
      const host = probe.tcpSocket.host || target.podIP;
      await tryTcp(host, portOf(probe.tcpSocket.port, target.container), timeoutMs);
      return { ok: true, message: '' };
    }
    if (probe.exec !== undefined) return await tryCommand(probe.exec.command ?? [], target, timeoutMs);
    if (probe.grpc !== undefined) return await grpcHealth(target.podIP, probe.grpc, timeoutMs);
    return { ok: false, message: `Longshore does not support probes of type ${Object.keys(probe)[0] ?? 'none'}` };
  } catch (error) {
    return { ok: false, message: messageOf(error as Error) };
  }
}

function messageOf(error: Error): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'context deadline exceeded';
  return error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join(', ') : error.message;
}

async function tryHttp(
  get: NonNullable<Probe['httpGet']>,
  { container, podIP }: ProbeTarget,
  timeoutMs: number,
): Promise<Outcome> {
  const answer = await httpGet(get, container, podIP, { userAgent: 'kube-probe/1.36', timeoutMs });
  // Kubernetes: from 200 to 399; a redirect counts as an answer.
  const ok = answer.status >= 200 && answer.status < 400;
  return { ok, message: ok ? '' : `HTTP probe failed with statuscode: ${answer.status}` };
}

function tryTcp(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: AbortSignal.timeout(timeoutMs) });
    socket.on('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}

async function tryCommand(command: string[], target: ProbeTarget, timeoutMs: number): Promise<Outcome> {
  const { runtime, clock } = target.parts;
  const { exitCode, output } = await runCommand(runtime, target.containerId, command, timeoutMs, clock);
  return { ok: exitCode === 0, message: output };
}
