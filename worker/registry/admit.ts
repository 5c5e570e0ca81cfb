/**
 * Runs the admission plugins over one write, in the catalog's order, and over what is no write but is judged like one: a
 * CONNECT, or what a path below an object takes. What a plugin is: `admission/plugin.ts`.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Admission } from '../admission/plugin.ts';
import { admitCertificateRequest } from './certificates.ts';
import { inVersion } from './conversion.ts';
import { forbidEscalation } from './rbac/escalation.ts';
import { scaleOf, takeScale } from './scale.ts';
import type { Session } from './session.ts';
import { admitByWebhooks, validateByWebhooks } from './webhooks.ts';
import type { Write } from './write.ts';

/** A write as its path shows it, and what becomes of the draft when that was changed. */
interface Shown {
  draft: KubeObject | undefined;
  current: KubeObject | undefined;
  takeBack?(): void;
}

function shownOf({ definition, part, draft, current }: Write): Shown {
  if (part !== 'scale' || draft === undefined || current === undefined) return { draft, current };
  const scale = scaleOf(definition, draft);
  const before = JSON.stringify(scale);
  return {
    draft: scale,
    current: scaleOf(definition, current),
    takeBack: () => {
      if (JSON.stringify(scale) !== before) takeScale(definition, draft, scale);
    },
  };
}

function admissionOf(session: Session, write: Write, { draft, current }: Shown): Admission {
  return {
    operation: write.operation,
    definition: write.definition,
    subresource: write.part ?? write.subresource ?? '',
    namespace: write.definition.identity.namespaced ? write.namespace : '',
    name: write.name,
    user: session.user,
    shownUser: session.shownUser,
    draft,
    current,
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

/** Both rounds over what is written nowhere: its draft is what becomes of it. @throws StatusError, WebhooksNeeded */
export function admitUnwritten(session: Session, write: Write): void {
  admit(session, write);
  admitValid(session, write);
}

/** The first round: before validation, and the draft may change. */
export function admit(session: Session, write: Write): void {
  const shown = shownOf(write);
  const admission = admissionOf(session, write, shown);
  const { admission: plugins } = session.parts;
  for (const plugin of plugins) plugin.admit?.(admission);
  admitByWebhooks(session, admission, () => {
    for (const plugin of plugins) plugin.admit?.(admission);
  });
  shown.takeBack?.();
  forbidEscalation(session, write);
  admitCertificateRequest(session, write);
}

/** The second round: the draft is valid, has its name, and stays as it is. */
export function admitValid(session: Session, write: Write): void {
  const admission = admissionOf(session, write, shownOf(write));
  for (const plugin of session.parts.admission) {
    // Kubernetes: quota is booked last, when nobody else can refuse any more.
    if (plugin.name === 'ResourceQuota') validateByWebhooks(session, admission);
    plugin.validate?.(admission);
  }
}
