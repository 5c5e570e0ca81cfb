/** NodeName: a pod that names its node goes nowhere else. */
import type { SchedulingPlugin } from './plugin.ts';

export const nodeName: SchedulingPlugin = {
  name: 'NodeName',
  prepare({ spec: { nodeName: asked = '' } }) {
    if (asked === '') return undefined;
    return {
      filter: ({ node }) =>
        asked === node.metadata.name
          ? undefined
          : { reasons: ["node(s) didn't match the requested node name"], resolvable: false },
    };
  },
};
