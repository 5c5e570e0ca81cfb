/**
 * Pods as their controllers make and take them away: from a template, owned, with the events that upstream records. How many
 * and which is each controller's own business.
 * Source: k8s.io/kubernetes/pkg/controller/controller_utils.go (RealPodControl)
 */
import { PODS, type Pod, type PodTemplateSpec } from '../../shared/api/core.ts';
import type { Draft, Identity, KubeObject } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import type { Objects } from '../registry/objects.ts';
import { controllerReference } from './owners.ts';

/** Kubernetes: the dash is left out where it would make the name too long to be one. */
const generateNameOf = (name: string): string => (name.length + 1 <= 253 ? `${name}-` : name);

/** The pod that an owner makes of a template; its name is the server's to choose. */
export function podFromTemplate(
  identity: Identity,
  owner: KubeObject,
  template: PodTemplateSpec | undefined,
): Draft<Pod> {
  const { metadata = {}, spec } = structuredClone(template) ?? { spec: { containers: [] } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: generateNameOf(owner.metadata.name),
      namespace: owner.metadata.namespace ?? '',
      ...(metadata.labels ? { labels: metadata.labels } : {}),
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [controllerReference(identity, owner)],
    },
    spec,
  };
}

/** A created pod; a refusal that is the owner's failure; or 'leaving': the namespace ends, and that is nobody's failure. */
export type Creation = { pod: Pod } | { refused: StatusError | 'leaving' };

/** Creates the pod and records that on its owner, or what was said against it. */
export function createPod(objects: Objects, owner: KubeObject, draft: Draft<Pod>, component: string): Creation {
  try {
    const pod = objects.create(PODS, draft);
    const message = `Created pod: ${pod.metadata.name}`;
    objects.record(owner, { type: 'Normal', reason: 'SuccessfulCreate', message, component });
    return { pod };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (error.status.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true) {
      return { refused: 'leaving' };
    }
    const message = `Error creating: ${error.message}`;
    objects.record(owner, { type: 'Warning', reason: 'FailedCreate', message, component });
    return { refused: error };
  }
}

export function deletePod(objects: Objects, owner: KubeObject, pod: Pod, component: string): void {
  const { name, namespace = '', uid } = pod.metadata;
  objects.delete(PODS, namespace, name, { preconditions: { uid } });
  objects.record(owner, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}`, component });
}
