/** What follows from a pod's quality of service for the kernel's choice of victim. Pure. */

import type { Container, Pod } from '../../shared/api/core.ts';
import { qosClassOf } from '../../shared/pods.ts';
import { quantityValue } from '../../shared/quantity.ts';

/** The more of the machine's memory a container asked for, the later it is killed. Source: kubelet's pkg/kubelet/qos. */
export function oomScoreAdjustOf(pod: Pod, container: Container, machineMemoryBytes: number): number {
  const qos = qosClassOf(pod.spec);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = container.resources?.requests?.memory ?? container.resources?.limits?.memory;
  const asked = request === undefined ? 0 : quantityValue(request);
  return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * asked) / machineMemoryBytes)));
}
