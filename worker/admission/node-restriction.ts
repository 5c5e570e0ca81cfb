/**
 * A minion writes its own Node and its own pods, and nothing that would let it become another or draw work to itself.
 * Source: kubernetes, plugin/pkg/admission/noderestriction
 */
import type { Node, Pod } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { groupResourceOf, type KubeObject } from '../../shared/api/meta.ts';
import { forbidden, notFound } from '../../shared/errors.ts';
import { nodeOfUser } from '../users.ts';
import type { Admission, AdmissionPlugin } from './plugin.ts';

const LEASES_NAMESPACE = 'kube-node-lease';
const RESTRICTED_LABEL = /^(?:[^/]+\.)?node-restriction\.kubernetes\.io\//;

interface Asked {
  admission: Admission;
  /** Whose minion asks, and the same in quotes. */
  node: string;
  quoted: string;
  /** @throws StatusError 403 */
  refuse(why: string): never;
}

function admitNode({ admission, node, quoted, refuse }: Asked): void {
  const { name, operation, draft, current } = admission;
  if (operation === 'DELETE') refuse(`node ${quoted} is not allowed to delete nodes`);
  if (draft?.metadata.name !== node) refuse(`node ${quoted} is not allowed to modify node ${JSON.stringify(name)}`);
  const labelsBefore = current?.metadata.labels ?? {};
  const labels = draft?.metadata.labels ?? {};
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(labelsBefore)])].filter(
    (key) => RESTRICTED_LABEL.test(key) && labels[key] !== labelsBefore[key],
  );
  if (changed.length > 0) refuse(`is not allowed to modify labels: ${changed.sort().join(', ')}`);
  const taints = (object: typeof draft) => JSON.stringify((object as Node | undefined)?.spec?.taints ?? []);
  if (operation === 'UPDATE' && taints(draft) !== taints(current)) {
    refuse(`node ${quoted} is not allowed to modify taints`);
  }
}

function admitPod(asked: Asked): void {
  const { admission, node, quoted, refuse } = asked;
  const { operation, subresource, draft, current } = admission;
  if (subresource !== '' && subresource !== 'status' && subresource !== 'eviction') {
    refuse(`unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`);
  }
  if (operation === 'CREATE') {
    if (subresource === 'eviction') admitEviction(asked);
    else admitMirror(asked);
    return;
  }
  if ((current as Pod | undefined)?.spec.nodeName !== node) {
    const what = operation === 'DELETE' ? 'delete' : 'update status for';
    refuse(`node ${quoted} can only ${what} pods with spec.nodeName set to itself`);
  }
  if (operation === 'UPDATE' && subresource !== 'status') {
    refuse(`unexpected operation "UPDATE", node ${quoted} can only create and delete mirror pods`);
  }
  const labels = (object: typeof draft) => JSON.stringify(object?.metadata.labels ?? {});
  if (operation === 'UPDATE' && labels(draft) !== labels(current)) {
    refuse(`node ${quoted} cannot update labels through pod status`);
  }
}

function admitMirror({ admission, node, quoted, refuse }: Asked): void {
  const pod = admission.draft as Pod;
  if (pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) {
    refuse(
      `pod does not have ${JSON.stringify(MIRROR_ANNOTATION)} annotation, node ${quoted} can only create mirror pods`,
    );
  }
  if (pod.spec.nodeName !== node) refuse(`node ${quoted} can only create pods with spec.nodeName set to itself`);
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.some((owner) => owner.kind !== 'Node' || owner.name !== node)) {
    refuse(`node ${quoted} can only create pods with an owner reference set to itself`);
  }
  const volumes = pod.spec.volumes ?? [];
  if (pod.spec.serviceAccountName || volumes.some((each) => each.secret || each.configMap)) {
    refuse(`node ${quoted} can not create pods that reference a service account, secrets or configmaps`);
  }
}

function admitEviction({ admission, node, refuse }: Asked): void {
  const { definition, namespace, name, reader } = admission;
  const pod = reader.get('pods', namespace, name) as Pod | undefined;
  if (pod === undefined) throw notFound(definition.identity, name);
  if (pod.spec.nodeName !== node) refuse(`node ${node} can only evict pods with spec.nodeName set to itself`);
}

type Bound = KubeObject & {
  spec?: { boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string } };
};

/** A minion gets tokens of pods that run on it, and none that outlives them. */
function admitToken({ admission, node, refuse }: Asked): void {
  const { operation, subresource, draft, namespace, reader } = admission;
  if (operation !== 'CREATE' || subresource !== 'token') return;
  const { apiVersion, kind, name, uid } = (draft as Bound).spec?.boundObjectRef ?? {};
  if (apiVersion !== 'v1' || kind !== 'Pod' || !name) {
    refuse('node requested token not bound to a pod');
    return;
  }
  if (!uid) refuse('node requested token with a pod binding without a uid');
  const pod = reader.get('pods', namespace, name) as Pod | undefined;
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  if (pod.metadata.uid !== uid) {
    refuse(
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (pod.spec.nodeName !== node) refuse('node requested token bound to a pod scheduled on a different node');
}

const nameOf = ({ operation, draft, name }: Admission) => (operation === 'CREATE' ? draft?.metadata.name : name);

function admitLease({ admission, node, refuse }: Asked): void {
  if (admission.namespace !== LEASES_NAMESPACE) {
    refuse(`can only access leases in the ${JSON.stringify(LEASES_NAMESPACE)} system namespace`);
  }
  if (nameOf(admission) !== node) refuse('can only access node lease with the same name as the requesting node');
}

function admitCSINode({ admission, node, refuse }: Asked): void {
  if (nameOf(admission) !== node) refuse('can only access CSINode with the same name as the requesting node');
}

function admitClaim({ admission, refuse }: Asked): void {
  if (admission.subresource !== 'status') refuse('may only update PVC status');
}

const RULES: Record<string, (asked: Asked) => void> = {
  nodes: admitNode,
  pods: admitPod,
  persistentvolumeclaims: admitClaim,
  serviceaccounts: admitToken,
  'leases.coordination.k8s.io': admitLease,
  'csinodes.storage.k8s.io': admitCSINode,
};

export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  admit(admission) {
    const { user, definition, operation, name } = admission;
    const node = nodeOfUser(user);
    // Kubernetes: what a minion may connect to is authorization's alone.
    if (node === undefined || operation === 'CONNECT') return;
    const refuse = (why: string): never => {
      throw forbidden(definition.identity, name, why);
    };
    RULES[groupResourceOf(definition.identity)]?.({ admission, node, quoted: JSON.stringify(node), refuse });
  },
};
