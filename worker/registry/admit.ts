/** Runs the admission plugins over one write, in the catalog's order. What a plugin is: `admission/plugin.ts`. */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Admission, Operation } from '../admission/plugin.ts';
import type { ResourceDefinition, Subresource } from '../resources/definition.ts';
import { admitCertificateRequest } from './certificates.ts';
import { forbidEscalation } from './rbac/escalation.ts';
import type { Session } from './session.ts';

export interface Write {
  operation: Operation;
  definition: ResourceDefinition;
  subresource?: Subresource | '';
  namespace: string;
  name: string;
  draft?: KubeObject;
  current?: KubeObject | undefined;
}

function admissionOf(session: Session, write: Write): Admission {
  return {
    operation: write.operation,
    definition: write.definition,
    subresource: write.subresource ?? '',
    namespace: write.definition.identity.namespaced ? write.namespace : '',
    name: write.name,
    user: session.user,
    draft: write.draft,
    current: write.current,
    dryRun: session.dryRun,
    reader: session.reader,
    warn: session.warn,
    saveStatus: (identity, object) => void session.objects.updateStatus(identity, object),
  };
}

/** The first round: before validation, and the draft may change. */
export function admit(session: Session, write: Write): void {
  const admission = admissionOf(session, write);
  for (const plugin of session.parts.admission) plugin.admit?.(admission);
  forbidEscalation(session, write);
  admitCertificateRequest(session, write);
}

/** The second round: the draft is valid, has its name, and stays as it is. */
export function admitValid(session: Session, write: Write): void {
  const admission = admissionOf(session, write);
  for (const plugin of session.parts.admission) plugin.validate?.(admission);
}
