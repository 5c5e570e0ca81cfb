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
