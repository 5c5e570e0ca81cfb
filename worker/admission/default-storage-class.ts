/** A claim without a class gets the newest default one. Source: kubernetes, plugin/pkg/admission/storage/storageclass/setdefault */
import type { PersistentVolumeClaim } from '../../shared/api/core.ts';
import { newestDefault } from './default-ingress-class.ts';
import { type AdmissionPlugin, isOf } from './plugin.ts';

export const defaultStorageClass: AdmissionPlugin = {
  name: 'DefaultStorageClass',
  admit(admission) {
    if (admission.operation !== 'CREATE' || !isOf(admission, 'PersistentVolumeClaim')) return;
    const claim = admission.draft as PersistentVolumeClaim;
    // An empty class is a choice: no class at all.
    if (claim.spec?.storageClassName !== undefined) return;
    if (claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined) return;
    const found = newestDefault(
      admission.reader.list('storageclasses.storage.k8s.io', { having: [{ index: 'default', value: 'true' }] }),
    );
    if (found !== undefined) claim.spec.storageClassName = found.metadata.name;
  },
};
