/**
 * Every pod runs as a service account of its namespace, `default` unless it names one: it takes over the account's image pull
 * secrets, and its containers find a token of it where clients look (`token-volume.ts`). Accounts that say so limit the
 * secrets of their pods (`mountable-secrets.ts`). Mirror pods have no account, and so nothing that would need one.
 * Source: kubernetes, plugin/pkg/admission/serviceaccount
 */
import type { Pod, ServiceAccount } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { forbidden } from '../../shared/errors.ts';
import { usesOf } from '../resources/pods.ts';
import { whyNotMountable } from './mountable-secrets.ts';
import { type Admission, type AdmissionPlugin, isOf } from './plugin.ts';
import { mountToken } from './token-volume.ts';

const DEFAULT = 'default';

const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;

function whyNotMirrored({ spec }: Pod): string | undefined {
  if (spec.serviceAccountName) return 'a mirror pod may not reference service accounts';
  if (usesOf(spec).some((each) => each.startsWith('secrets/'))) return 'a mirror pod may not reference secrets';
  const sources = (spec.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? []);
  if (sources.some((source) => source.serviceAccountToken !== undefined)) {
    return 'a mirror pod may not use ServiceAccountToken volume projections';
  }
  return undefined;
}

/** Undefined for a default account that is still to be made. @throws StatusError 403 for any other that is not there */
function accountOf({ definition, namespace, name, reader }: Admission, { spec }: Pod): ServiceAccount | undefined {
  const wanted = spec.serviceAccountName ?? '';
  const account = reader.get('serviceaccounts', namespace, wanted) as ServiceAccount | undefined;
  // The default account is made by a controller in the turn after its namespace: nobody should have to wait for it.
  if (account !== undefined || wanted === DEFAULT) return account;
  const why = `error looking up service account ${namespace}/${wanted}: serviceaccount ${JSON.stringify(wanted)} not found`;
  throw forbidden(definition.identity, name, why);
}

export const serviceAccount: AdmissionPlugin = {
  name: 'ServiceAccount',
  admit(admission) {
    const { operation, draft, random } = admission;
    if (operation !== 'CREATE' || !isOf(admission, 'Pod') || draft === undefined) return;
    const pod = draft as Pod & { spec: { serviceAccount?: string } };
    if (isMirror(pod)) return;
    pod.spec.serviceAccountName ||= DEFAULT;
    pod.spec.serviceAccount = pod.spec.serviceAccountName;
    const account = accountOf(admission, pod);
    const mounts = pod.spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true;
    if (mounts) mountToken(pod.spec, random);
    if (!pod.spec.imagePullSecrets?.length && account?.imagePullSecrets?.length) {
      pod.spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
    }
  },
  validate(admission) {
    const { operation, draft, definition, name } = admission;
    if (operation !== 'CREATE' || !isOf(admission, 'Pod') || draft === undefined) return;
    const pod = draft as Pod;
    const why = isMirror(pod) ? whyNotMirrored(pod) : whyNotMountable(pod.spec, accountOf(admission, pod));
    if (why !== undefined) throw forbidden(definition.identity, name, why);
  },
};
