/** Who a caller is, on its way from the Worker, which learns it, to whoever judges or records it. */

/** As authentication.k8s.io/v1 UserInfo. */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
/** The control plane's own parts. */
export const SYSTEM: UserInfo = { username: 'system:longshore', groups: ['system:masters', 'system:authenticated'] };

const NODE_USER = 'system:node:';
const NODE_GROUP = 'system:nodes';

/** As what a minion's requests come, and as whom webhooks and policies see it: as upstream's know its kubelet. */
export const userOfNode = (node: string): UserInfo => ({
  username: `${NODE_USER}${node}`,
  groups: [NODE_GROUP, 'system:authenticated'],
});

/** The node whose minion this is; undefined for everybody else. */
export const nodeOfUser = ({ username, groups }: UserInfo): string | undefined =>
  groups.includes(NODE_GROUP) && username.startsWith(NODE_USER) ? username.slice(NODE_USER.length) : undefined;
