/**
 * A write as admission.k8s.io/v1 AdmissionRequest: what webhooks are sent, and what expressions call `request`.
 * Source: apiserver, pkg/admission/plugin/webhook/request/admissionreview.go
 */
import { apiVersionOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import type { JsonObject } from '../resources/definition.ts';
import type { UserInfo } from '../users.ts';
import type { Admission, Operation } from './plugin.ts';
import { shownKind } from './shown-kinds.ts';

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

/** Kubernetes: a connection has its options for an object, and no others. */
const OPTIONS: Record<Operation, string | undefined> = {
  CREATE: 'CreateOptions',
  UPDATE: 'UpdateOptions',
  DELETE: 'DeleteOptions',
  CONNECT: undefined,
};

/** The object in a form that is served; undefined: there is none. */
export function inForm(admission: Admission, form: Identity, object: KubeObject | undefined): JsonObject | null {
  if (object === undefined) return null;
  const { definition, subresource } = admission;
  const { conversion, identity } = definition;
  if (shownKind(definition, subresource) !== undefined) return object as unknown as JsonObject;
  if (conversion !== undefined && form.version !== identity.version) {
    return admission.inVersion(conversion, object, form.version) as unknown as JsonObject;
  }
  const other = definition.alsoServedAs?.find((each) => each.identity === form);
  return other === undefined ? (object as unknown as JsonObject) : other.fromStored(object);
}

/** @param form in which the objects are shown. */
export function requestOf(admission: Admission, form: Identity): AdmissionRequest {
  const { definition, subresource, operation, name, namespace, shownUser, dryRun } = admission;
  const { group, version, resource, kind } = form;
  const own = definition.identity;
  const other = shownKind(definition, subresource);
  const shown = other ?? { group, version, kind };
  const asked = other ?? { group: own.group, version: own.version, kind: own.kind };
  const isNamespace = own.group === '' && own.kind === 'Namespace';
  const place = isNamespace ? name : namespace;
  return {
    uid: '',
    kind: shown,
    resource: { group, version, resource },
    ...(subresource === '' ? {} : { subResource: subresource }),
    requestKind: asked,
    requestResource: { group: own.group, version: own.version, resource: own.resource },
    ...(subresource === '' ? {} : { requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(place === '' ? {} : { namespace: place }),
    operation,
    userInfo: shownUser,
    object: inForm(admission, form, admission.draft),
    oldObject: inForm(admission, form, admission.current),
    dryRun,
    options: optionsOf(admission),
  };
}

function optionsOf({ operation, dryRun, manager }: Admission): JsonObject | null {
  const kind = OPTIONS[operation];
  if (kind === undefined) return null;
  return {
    kind,
    apiVersion: apiVersionOf({ group: 'meta.k8s.io', version: 'v1' }),
    ...(dryRun ? { dryRun: ['All'] } : {}),
    ...(manager === '' || operation === 'DELETE' ? {} : { fieldManager: manager }),
  };
}
