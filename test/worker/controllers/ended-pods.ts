/** Pods that end: what a kubelet reports when the containers of a pod are done. */
import { PODS, type Pod } from '../../../shared/api/core.ts';
import { formatTime } from '../../../shared/time.ts';
import { podsOf, type TestPlane } from './control-plane.ts';

export function endPod(plane: TestPlane, pod: Pod, exitCode: number): void {
  plane.do((objects) => {
    const current = objects.get(PODS, pod.metadata.namespace ?? '', pod.metadata.name);
    if (current === undefined) throw new Error(`${pod.metadata.name} is gone`);
    const finishedAt = formatTime(plane.nowMs);
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    const containerStatuses = current.spec.containers.map(({ name, image = '' }) => ({
      name,
      image,
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode, finishedAt } },
      lastState: {},
    }));
    objects.updateStatus(PODS, { ...current, status: { ...current.status, phase, containerStatuses } });
  });
}

export const activePodsOf = (plane: TestPlane): Pod[] =>
  podsOf(plane).filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed',
  );
