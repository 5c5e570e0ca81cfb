/** Runs the admission plugins over one write, in the catalog's order. What a plugin is: `admission/plugin.ts`. */
import type { Pod } from '../../shared/api/core.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Admission, AskedWrite } from '../admission/plugin.ts';
import { admitCertificateRequest } from './certificates.ts';
import { inVersion } from './conversion.ts';
import { forbidEscalation } from './rbac/escalation.ts';
import { scaleOf } from './scale.ts';
import type { Session } from './session.ts';
import { admitByWebhooks, validateByWebhooks } from './webhooks.ts';
import type { Write } from './write.ts';

/** The write as its path shows it. Kubernetes: a Binding is created, whatever becomes of the pod. */
function askedOf({ definition, operation, subresource = '', part = subresource, draft, current }: Write): AskedWrite {
  if (part === 'scale' && draft !== undefined && current !== undefined) {
    const [object, oldObject] = [scaleOf(definition, draft), scaleOf(definition, current)];
    return { part, operation, object, oldObject };
  }
  if (part === 'binding' && draft !== undefined) {
    const { name, namespace } = draft.metadata;
    const target = { apiVersion: 'v1', kind: 'Node', name: (draft as Pod).spec.nodeName };
    const object = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace },
      target,
    } as unknown as KubeObject;
    return { part, operation: 'CREATE', object, oldObject: undefined };
  }
  return {
    part,
    operation,
    object: draft,
    oldObject: current,
  };
}

function admissionOf(session: Session, write: Write): Admission {
  let asked: AskedWrite | undefined;
  return {
    get asked() {
      asked ??= askedOf(write);
      return asked;
    },
    operation: write.operation,
    definition: write.definition,
    subresource: write.subresource ?? '',
    namespace: write.definition.identity.namespaced ? write.namespace : '',
    name: write.name,
    user: session.user,
    shownUser: session.shownUser,
    draft: write.draft,
    current: write.current,
    dryRun: session.dryRun,
    random: session.parts.random,
    manager: session.manager,
    reader: session.reader,
    get catalog() {
      return session.parts.catalog();
    },
    configurations: session.configurations,
    inVersion: (conversion, object, version) => inVersion(session, conversion, object, version),
    warn: session.warn,
    annotate: session.annotate,
    saveStatus: (identity, object) => void session.objects.updateStatus(identity, object),
  };
}

/** The first round: before validation, and the draft may change. */
export function admit(session: Session, write: Write): void {
  const admission = admissionOf(session, write);
  const { admission: plugins } = session.parts;
  for (const plugin of plugins) plugin.admit?.(admission);
  admitByWebhooks(session, admission, () => {
    for (const plugin of plugins) plugin.admit?.(admission);
  });
  forbidEscalation(session, write);
  admitCertificateRequest(session, write);
}

/** The second round: the draft is valid, has its name, and stays as it is. */
export function admitValid(session: Session, write: Write): void {
  const admission = admissionOf(session, write);
  for (const plugin of session.parts.admission) {
    // Kubernetes: quota is booked last, when nobody else can refuse any more.
    if (plugin.name === 'ResourceQuota') validateByWebhooks(session, admission);
    plugin.validate?.(admission);
  }
}
