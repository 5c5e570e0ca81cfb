/** Lifecycle hooks and the requests that they share with probes: a command in the container, an HTTP GET to the pod. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { finished } from 'node:stream/promises';
import type { Container, LifecycleHandler, Pod, Probe } from '../../shared/api/core.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Clock } from './parts.ts';

const MOST_OUTPUT_BYTES = 10 * 1024;

/** Source: Kubernetes' probes read at most so much of an answer. */
export interface HttpAnswer {
  status: number;
  body: string;
}

/** @throws when nothing answers in time. */
export function httpGet(
  get: NonNullable<Probe['httpGet']>,
  container: Container,
  podIP: string,
  agent: { userAgent: string; timeoutMs: number },
): Promise<HttpAnswer> {
  const secure = get.scheme?.toUpperCase() === 'HTTPS';
  const host = get.host === undefined || get.host === '' ? podIP : get.host;
  const port = portOf(get.port, container);
  const path = get.path === undefined || get.path === '' ? '/' : get.path;
  const url = new URL(`${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`);
  const headers = Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  const send = secure ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        path: path.startsWith('/') ? path : `/${path}`,
        headers: { 'user-agent': agent.userAgent, accept: '*/*', connection: 'close', ...headers },
        agent: false,
        // Kubernetes: probes do not verify certificates.
        rejectUnauthorized: false,
        signal: AbortSignal.timeout(agent.timeoutMs),
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          if (body.length < MOST_OUTPUT_BYTES) body += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: body.slice(0, MOST_OUTPUT_BYTES) }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end();
  });
}

/** @throws for a name that is no port of the container. */
export function portOf(port: number | string, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((each) => each.name === port)?.containerPort ?? Number.parseInt(port, 10);
  if (Number.isNaN(named)) throw new Error(`couldn't find port: "${port}" in container ${container.name}`);
  return named;
}

/** Runs a command to its end. @throws when it takes longer than the limit. */
export async function runCommand(
  runtime: Runtime,
  containerId: string,
  command: string[],
  timeoutMs: number,
  clock: Clock,
): Promise<{ exitCode: number; output: string }> {
  const session = await runtime.exec(containerId, { command, tty: false, stdin: false });
  let output = '';
  const collect = (chunk: Buffer) => {
    if (output.length < MOST_OUTPUT_BYTES) output += chunk.toString();
  };
  session.stdout.on('data', collect);
  session.stderr.on('data', collect);
  const { promise: tooLong, reject } = Promise.withResolvers<never>();
  const callOff = clock.after(timeoutMs, () => {
    reject(new Error(`command ${JSON.stringify(command.join(' '))} timed out`));
    session.close();
  });
  const over = Promise.all([session.ended, finished(session.stdout), finished(session.stderr)]);
  try {
    const [exitCode] = await Promise.race([over, tooLong]);
    return { exitCode, output: output.slice(0, MOST_OUTPUT_BYTES) };
  } finally {
    callOff();
  }
}

export interface HookTarget {
  runtime: Runtime;
  clock: Clock;
  pod: Pod;
  container: Container;
  containerId: string;
  podIP: string;
  timeoutMs: number;
}

/** @throws when the hook failed, with what a kubelet says. */
export async function runHook(handler: LifecycleHandler, target: HookTarget): Promise<void> {
  const { runtime, clock, container, containerId, podIP, timeoutMs } = target;
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const { exitCode, output } = await runCommand(runtime, containerId, command, timeoutMs, clock);
    if (exitCode !== 0)
      throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: , message: ${JSON.stringify(output)}`);
  } else if (handler.httpGet !== undefined) {
    const answer = await httpGet(handler.httpGet, container, podIP, { userAgent: 'kube-lifecycle/1.36', timeoutMs });
    if (answer.status >= 400) throw new Error(`HTTP hook answered ${answer.status}`);
  } else if (handler.sleep !== undefined) {
    await sleep(clock, Math.min(handler.sleep.seconds * 1000, timeoutMs));
  } else {
    throw new Error(`Longshore does not support lifecycle handlers of type ${Object.keys(handler)[0] ?? 'none'}`);
  }
}

const sleep = (clock: Clock, ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
