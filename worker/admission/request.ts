/**
 * A write as admission.k8s.io/v1 AdmissionRequest: what webhooks are sent, and what expressions call `request`.
 * Source: apiserver, pkg/admission/plugin/webhook/request/admissionreview.go
 */
import { apiVersionOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import type { JsonObject } from '../resources/definition.ts';
import type { UserInfo } from '../users.ts';
import type { Admission } from './plugin.ts';

interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}
interface GroupVersionResource {
  group: string;
  version: string;
  resource: string;
}

export interface AdmissionRequest {
  /** Set when it is sent; '' until then. */
  uid: string;
  kind: GroupVersionKind;
  resource: GroupVersionResource;
  subResource?: string;
  requestKind: GroupVersionKind;
  requestResource: GroupVersionResource;
  requestSubResource?: string;
  name?: string;
  namespace?: string;
  operation: string;
  userInfo: UserInfo;
  object: JsonObject | null;
  oldObject: JsonObject | null;
  dryRun: boolean;
  options: JsonObject | null;
}

const OPTIONS = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' };

/** Paths below an object that take another kind than the object's own. */
const KINDS: Record<string, GroupVersionKind> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  binding: { group: '', version: 'v1', kind: 'Binding' },
};

/** The object in a form that is served; undefined: there is none. */
export function inForm(admission: Admission, form: Identity, object: KubeObject | undefined): JsonObject | null {
  if (object === undefined) return null;
  const { conversion, identity } = admission.definition;
  if (conversion !== undefined && !(admission.asked.part in KINDS) && form.version !== identity.version) {
    return admission.inVersion(conversion, object, form.version) as unknown as JsonObject;
  }
  const other = admission.definition.alsoServedAs?.find((each) => each.identity === form);
  if (other === undefined || admission.asked.part in KINDS) return object as unknown as JsonObject;
  return other.fromStored(object);
}

/** @param form in which the objects are shown. */
export function requestOf(admission: Admission, form: Identity): AdmissionRequest {
  const { definition, name, namespace, shownUser, dryRun, manager } = admission;
  const { part, operation, object, oldObject } = admission.asked;
  const { group, version, resource, kind } = form;
  const own = definition.identity;
  const shown = KINDS[part] ?? { group, version, kind };
  const asked = KINDS[part] ?? { group: own.group, version: own.version, kind: own.kind };
  const isNamespace = own.group === '' && own.kind === 'Namespace';
  const place = isNamespace ? name : namespace;
  return {
    uid: '',
    kind: shown,
    resource: { group, version, resource },
    ...(part === '' ? {} : { subResource: part }),
    requestKind: asked,
    requestResource: { group: own.group, version: own.version, resource: own.resource },
    ...(part === '' ? {} : { requestSubResource: part }),
    ...(name === '' ? {} : { name }),
    ...(place === '' ? {} : { namespace: place }),
    operation,
    userInfo: shownUser,
    object: inForm(admission, form, object),
    oldObject: inForm(admission, form, oldObject),
    dryRun,
    options: {
      kind: OPTIONS[operation],
      apiVersion: apiVersionOf({ group: 'meta.k8s.io', version: 'v1' }),
      ...(dryRun ? { dryRun: ['All'] } : {}),
      ...(manager === '' || operation === 'DELETE' ? {} : { fieldManager: manager }),
    },
  };
}
