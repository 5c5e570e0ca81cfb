/** An Ingress without a class gets the newest default one. Source: kubernetes, plugin/pkg/admission/network/defaultingressclass */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Ingress } from '../../shared/api/networking.ts';
import { type AdmissionPlugin, isOf } from './plugin.ts';

/** Of several default classes the newest counts, and of equally new ones the first by name. */
export function newestDefault(classes: readonly KubeObject[]): KubeObject | undefined {
  return classes.toSorted((left, right) => {
    const [a, b] = [left.metadata.creationTimestamp, right.metadata.creationTimestamp];
    return a === b ? (left.metadata.name < right.metadata.name ? -1 : 1) : a > b ? -1 : 1;
  })[0];
}

export const defaultIngressClass: AdmissionPlugin = {
  name: 'DefaultIngressClass',
  admit(admission) {
    if (admission.operation !== 'CREATE' || !isOf(admission, 'Ingress', 'networking.k8s.io')) return;
    const ingress = admission.draft as Ingress;
    if (ingress.spec?.ingressClassName !== undefined) return;
    if (ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return;
    const having = [{ index: 'default', value: 'true' }];
    const found = newestDefault(admission.reader.list('ingressclasses.networking.k8s.io', { having }));
    if (found !== undefined) ingress.spec.ingressClassName = found.metadata.name;
  },
};
