/** NodeName: a pod that names its node goes nowhere else. */
import type { SchedulingPlugin } from './plugin.ts';

export const nodeName: SchedulingPlugin = {
  name: 'NodeName',
  filter(pod, { node }) {
    const asked = pod.spec.nodeName ?? '';
    if (asked === '' || asked === node.metadata.name) return undefined;
    return { reasons: ["node(s) didn't match the requested node name"], resolvable: false };
  },
};
