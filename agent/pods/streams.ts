/** Logs, exec and attach of the pods here: which container is meant, whether it can answer, in a kubelet's words when not. */
import { PODS } from '../../shared/api/core.ts';
import { badRequest, internalError, notFound } from '../../shared/errors.ts';
import type { ExecSession, ObservedContainer, Runtime } from '../runtime/runtime.ts';
import { containerStatusOf } from './container-status.ts';
import { allOf, type ContainerView } from './containers-of-pod.ts';
import type { LogQuery, PodStreams } from './pods.ts';
import type { PodWorker } from './worker.ts';

export function podStreams(
  runtime: Runtime,
  workerOf: (podUid: string) => PodWorker | undefined,
  nowMs: () => number,
): PodStreams {
  const worker = (podUid: string) => {
    const found = workerOf(podUid);
    if (found === undefined) throw notFound(PODS, podUid);
    return found;
  };
  const running = (podUid: string, name: string): ObservedContainer => {
    const view = viewOf(worker(podUid), name);
    if (view?.newest?.state !== 'running')
      throw internalError(`unable to upgrade connection: container not found ("${name}")`);
    return view.newest;
  };
  return {
    logs: (podUid, query, signal) => {
      const container = containerForLogs(worker(podUid), query, nowMs());
      return limited(logsOf(runtime, container.id, query, signal), query.limitBytes);
    },
    exec: async (podUid, name, options): Promise<ExecSession> => runtime.exec(running(podUid, name).id, options),
    attach: async (podUid, name, options): Promise<ExecSession> => runtime.attach(running(podUid, name).id, options),
    sandboxPid: (podUid) => {
      const found = worker(podUid);
      const { sandbox } = found.view();
      return found.pod.spec.hostNetwork === true || sandbox?.state !== 'running' ? undefined : sandbox.pid;
    },
  };
}

function viewOf(worker: PodWorker, name: string): ContainerView | undefined {
  return allOf(worker.view()).find((each) => each.spec.name === name);
}

async function* logsOf(
  runtime: Runtime,
  containerId: string,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { follow, timestamps, tailLines, sinceMs } = query;
  for await (const { bytes } of runtime.logs(containerId, { follow, timestamps, tailLines, sinceMs }, signal))
    yield bytes;
}

/** @throws StatusError. Source: kubelet's validateContainerLogStatus. */
function containerForLogs(worker: PodWorker, query: LogQuery, nowMs: number): ObservedContainer {
  const { container: name, previous } = query;
  const pod = worker.pod.metadata.name;
  const view = viewOf(worker, name);
  if (view === undefined) throw badRequest(`container "${name}" in pod "${pod}" is not available`);
  const { newest, attempts } = view;
  const ended = attempts.filter((each) => each.state === 'exited');
  if (previous) {
    const found = newest?.state === 'exited' ? previousOf(worker, view, ended, nowMs) : ended[0];
    if (found === undefined) throw badRequest(`previous terminated container "${name}" in pod "${pod}" not found`);
    return found;
  }
  if (newest !== undefined && newest.state !== 'created') return newest;
  if (ended[0] !== undefined) return ended[0];
  throw badRequest(waitingMessage(worker, view, nowMs));
}

/** While a crashed container waits for its next start, it is itself the previous one. */
function previousOf(
  worker: PodWorker,
  view: ContainerView,
  ended: ObservedContainer[],
  nowMs: number,
): ObservedContainer | undefined {
  const status = containerStatusOf(view, { pod: worker.pod, memory: worker.memory(), ending: worker.isEnding, nowMs });
  return status.state.waiting === undefined ? ended[1] : ended[0];
}

function waitingMessage(worker: PodWorker, view: ContainerView, nowMs: number): string {
  const status = containerStatusOf(view, { pod: worker.pod, memory: worker.memory(), ending: worker.isEnding, nowMs });
  const prefix = `container "${view.spec.name}" in pod "${worker.pod.metadata.name}" is waiting to start`;
  const reason = status.state.waiting?.reason;
  if (reason === 'ErrImagePull') return `${prefix}: image can't be pulled`;
  if (reason === 'ImagePullBackOff') return `${prefix}: trying and failing to pull image`;
  return reason === undefined ? `${prefix} - no logs yet` : `${prefix}: ${reason}`;
}

async function* limited(source: AsyncIterable<Uint8Array>, limitBytes: number | undefined): AsyncGenerator<Uint8Array> {
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const bytes of source) {
    if (bytes.length >= left) {
      yield bytes.subarray(0, left);
      return;
    }
    left -= bytes.length;
    yield bytes;
  }
}
