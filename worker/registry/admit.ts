/** Runs the admission plugins over one write, in the catalog's order. What a plugin is: `admission/plugin.ts`. */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Operation } from '../admission/plugin.ts';
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

export function admit(session: Session, write: Write): void {
  for (const plugin of session.parts.admission) {
    plugin.admit({
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
    });
  }
  forbidEscalation(session, write);
  admitCertificateRequest(session, write);
}
