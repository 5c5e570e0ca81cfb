/** An audit event as a line for people, and which events somebody asks for. Pure. */
import type { AuditEvent } from '../../../shared/api/audit.ts';

export interface AuditFilter {
  user?: string;
  verb?: string;
  /** `pods`, `pods/log`, or with its group `deployments.apps`. */
  resource?: string;
  namespace?: string;
}

/** Undefined for a line that is no event: one that a crash cut short. */
export function parseEvent(line: string): AuditEvent | undefined {
  try {
    return JSON.parse(line) as AuditEvent;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** `pods/log`, `deployments.apps`; the path of what is no resource. */
function resourceOf({ objectRef, requestURI }: AuditEvent): string {
  if (objectRef === undefined) return requestURI.split('?', 1)[0] ?? '';
  const { resource = '', apiGroup, subresource } = objectRef;
  const qualified = apiGroup === undefined ? resource : `${resource}.${apiGroup}`;
  return subresource === undefined ? qualified : `${qualified}/${subresource}`;
}

export function isAskedFor(event: AuditEvent, { user, verb, resource, namespace }: AuditFilter): boolean {
  if (user !== undefined && event.user.username !== user && event.impersonatedUser?.username !== user) return false;
  if (verb !== undefined && event.verb !== verb) return false;
  if (namespace !== undefined && event.objectRef?.namespace !== namespace) return false;
  if (resource === undefined) return true;
  const { objectRef } = event;
  if (objectRef === undefined) return false;
  const plain =
    objectRef.subresource === undefined ? objectRef.resource : `${objectRef.resource}/${objectRef.subresource}`;
  return resource === objectRef.resource || resource === plain || resource === resourceOf(event);
}

export function formatEvent(event: AuditEvent): string {
  const { user, impersonatedUser, objectRef, responseStatus, annotations, stage } = event;
  const who = impersonatedUser === undefined ? user.username : `${user.username} as ${impersonatedUser.username}`;
  const name = [objectRef?.namespace, objectRef?.name].filter((each) => each !== undefined).join('/');
  const refused = annotations?.['authorization.k8s.io/decision'] === 'forbid' ? 'forbidden' : '';
  const outcome = [responseStatus?.code, responseStatus?.reason ?? refused].filter((each) => each).join(' ');
  const parts = [event.stageTimestamp, stage, who ?? '<unknown>', event.verb, resourceOf(event), name, outcome];
  return parts.filter((each) => each !== '').join('  ');
}
