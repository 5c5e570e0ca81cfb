/** NodePorts: no two pods of a node have the same host port on the same address. */
import type { SchedulingPlugin } from './plugin.ts';
import { hostPortsOf } from './requests.ts';

export const nodePorts: SchedulingPlugin = {
  name: 'NodePorts',
  prepare(pod) {
    const wanted = hostPortsOf(pod);
    if (wanted.length === 0) return undefined;
    return {
      filter: ({ hostPorts }) =>
        wanted.some((each) => isTaken(each, hostPorts))
          ? { reasons: ["node(s) didn't have free ports for the requested pod ports"], resolvable: true }
          : undefined,
    };
  },
};

/** 0.0.0.0 is every address. */
function isTaken(wanted: string, hostPorts: ReadonlySet<string>): boolean {
  const [protocol, ip, port] = wanted.split('/');
  for (const used of hostPorts) {
    const [usedProtocol, usedIp, usedPort] = used.split('/');
    if (usedProtocol !== protocol || usedPort !== port) continue;
    if (usedIp === ip || usedIp === '0.0.0.0' || ip === '0.0.0.0') return true;
  }
  return false;
}
