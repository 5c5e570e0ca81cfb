/** As whom webhooks and policies see a minion: as upstream's know its kubelet. */
import type { UserInfo } from '../users.ts';

export const NODE_USER = 'system:node:';
export const NODE_GROUP = 'system:nodes';

export const userOf = (node: string): UserInfo => ({
  username: `${NODE_USER}${node}`,
  groups: [NODE_GROUP, 'system:authenticated'],
});
