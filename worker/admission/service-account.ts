/**
 * Every pod runs as a service account of its namespace, `default` unless it names one, and takes over its image pull
 * secrets. Tokens are not mounted: Longshore's kubelet projects those that a pod asks for.
 * Source: kubernetes, plugin/pkg/admission/serviceaccount
 */
import type { Pod, ServiceAccount } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { forbidden } from '../../shared/errors.ts';
import type { AdmissionPlugin } from './plugin.ts';

const DEFAULT = 'default';

export const serviceAccount: AdmissionPlugin = {
  name: 'ServiceAccount',
  admit({ operation, definition, subresource, draft, namespace, name, reader }) {
    const { group, kind } = definition.identity;
    if (operation !== 'CREATE' || group !== '' || kind !== 'Pod' || subresource !== '' || draft === undefined) return;
    const pod = draft as Pod & { spec: { serviceAccount?: string } };
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
      if (pod.spec.serviceAccountName)
        throw forbidden(definition.identity, name, 'a mirror pod may not reference service accounts');
      return;
    }
    pod.spec.serviceAccountName ||= DEFAULT;
    pod.spec.serviceAccount = pod.spec.serviceAccountName;
    const account = reader.get('serviceaccounts', namespace, pod.spec.serviceAccountName) as ServiceAccount | undefined;
    if (account === undefined) {
      // The default account is made by a controller in the turn after its namespace: nobody should have to wait for it.
      if (pod.spec.serviceAccountName === DEFAULT) return;
      const why = `error looking up service account ${namespace}/${pod.spec.serviceAccountName}: serviceaccount ${JSON.stringify(pod.spec.serviceAccountName)} not found`;
      throw forbidden(definition.identity, name, why);
    }
    if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
      pod.spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
    }
  },
};
