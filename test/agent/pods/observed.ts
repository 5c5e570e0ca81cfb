/** What an engine might have of a pod, for the tests of the pure parts. */
import { BACK_OFF_LABEL } from '../../../agent/pods/back-off.ts';
import { specHashOf } from '../../../agent/pods/containers-of-pod.ts';
import { engineLimitsOf } from '../../../agent/pods/engine-limits.ts';
import type { ObservedPod } from '../../../agent/pods/memory.ts';
import type { ObservedContainer } from '../../../agent/runtime/runtime.ts';
import type { Container } from '../../../shared/api/core.ts';
import { EPOCH, EPOCH_MS } from '../../support/builders.ts';

export const MACHINE = { cpuMilli: 4000, memoryBytes: 8 * 1024 ** 3 };
export const MAIN: Container = { name: 'main', image: 'nginx:1' };
export const at = (seconds: number) => new Date(EPOCH_MS + seconds * 1000).toISOString();

const pod = { namespace: 'default', name: 'web', uid: 'uid-web' };

export const sandbox = (own: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: 'sandbox0',
  pod,
  name: '',
  kind: 'sandbox',
  attempt: 0,
  sandboxId: '',
  specHash: '',
  image: 'pause',
  imageID: '',
  state: 'running',
  pid: 100,
  createdAt: EPOCH,
  startedAt: EPOCH,
  resources: { cpuNano: 0, cpuShares: 0, memoryBytes: 0 },
  labels: {},
  ...own,
});

export function container(
  spec: Container,
  own: Partial<ObservedContainer> & { backOffSeconds?: number } = {},
): ObservedContainer {
  const { backOffSeconds = 0, ...rest } = own;
  const attempt = own.attempt ?? 0;
  return {
    id: `${spec.name}${attempt}`,
    pod,
    name: spec.name,
    kind: 'container',
    attempt,
    sandboxId: 'sandbox0',
    specHash: specHashOf(spec),
    image: spec.image ?? '',
    imageID: 'sha256:1',
    state: 'running',
    pid: 0,
    createdAt: EPOCH,
    startedAt: EPOCH,
    resources: engineLimitsOf(spec.resources, MACHINE),
    labels: { [BACK_OFF_LABEL]: String(backOffSeconds) },
    ...rest,
  };
}

export const exited = (
  spec: Container,
  exitCode: number,
  own: Parameters<typeof container>[1] = {},
): ObservedContainer => container(spec, { state: 'exited', exitCode, oomKilled: false, finishedAt: at(1), ...own });

export const observed = (...all: ObservedContainer[]): ObservedPod => ({
  sandboxes: all.filter((each) => each.kind === 'sandbox'),
  containers: all.filter((each) => each.kind !== 'sandbox'),
});
