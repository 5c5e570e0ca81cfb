/**
 * A minion writes its own Node and its own pods, and nothing that would let it become another or draw work to itself.
 * Source: kubernetes, plugin/pkg/admission/noderestriction
 */
import type { Node, Pod } from '../../shared/api/core.ts';
import { MIRROR_ANNOTATION } from '../../shared/api/longshore.ts';
import { forbidden } from '../../shared/errors.ts';
import type { Admission, AdmissionPlugin } from './plugin.ts';

const NODE_USER = 'system:node:';
const RESTRICTED_LABEL = /^(?:[^/]+\.)?node-restriction\.kubernetes\.io\//;

function admitNode(admission: Admission, node: string): void {
  const { definition, name, operation, draft, current } = admission;
  const refuse = (why: string): never => {
    throw forbidden(definition.identity, name, why);
  };
  if (operation === 'DELETE') refuse(`node ${JSON.stringify(node)} is not allowed to delete nodes`);
  if (draft?.metadata.name !== node) {
    refuse(`node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);
  }
  const labelsBefore = current?.metadata.labels ?? {};
  const labels = draft?.metadata.labels ?? {};
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(labelsBefore)])].filter(
    (key) => RESTRICTED_LABEL.test(key) && labels[key] !== labelsBefore[key],
  );
  if (changed.length > 0) {
    refuse(`is not allowed to modify labels: ${changed.sort().join(', ')}`);
  }
  const taints = (object: typeof draft) => JSON.stringify((object as Node | undefined)?.spec?.taints ?? []);
  if (operation === 'UPDATE' && taints(draft) !== taints(current)) {
    refuse(`node ${JSON.stringify(node)} is not allowed to modify taints`);
  }
}

function admitPod(admission: Admission, node: string): void {
  const { definition, name, operation, subresource, draft, current } = admission;
  const refuse = (why: string): never => {
    throw forbidden(definition.identity, name, why);
  };
  if (operation === 'CREATE') {
    const pod = draft as Pod;
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) {
      refuse(
        `pod does not have ${JSON.stringify(MIRROR_ANNOTATION)} annotation, node ${JSON.stringify(node)} can only create mirror pods`,
      );
    }
    if (pod.spec.nodeName !== node) {
      refuse(`node ${JSON.stringify(node)} can only create pods with spec.nodeName set to itself`);
    }
    const owners = pod.metadata.ownerReferences ?? [];
    if (owners.some((owner) => owner.kind !== 'Node' || owner.name !== node)) {
      refuse(`node ${JSON.stringify(node)} can only create pods with an owner reference set to itself`);
    }
    const volumes = pod.spec.volumes ?? [];
    if (pod.spec.serviceAccountName || volumes.some((each) => each.secret || each.configMap)) {
      refuse(
        `node ${JSON.stringify(node)} can not create pods that reference a service account, secrets or configmaps`,
      );
    }
    return;
  }
  if ((current as Pod | undefined)?.spec.nodeName !== node) {
    const what = operation === 'DELETE' ? 'delete' : 'update status for';
    refuse(`node ${JSON.stringify(node)} can only ${what} pods with spec.nodeName set to itself`);
  }
  if (operation === 'UPDATE' && subresource !== 'status') {
    refuse(`unexpected operation UPDATE of node ${JSON.stringify(node)} on a pod`);
  }
  const labels = (object: typeof draft) => JSON.stringify(object?.metadata.labels ?? {});
  if (operation === 'UPDATE' && labels(draft) !== labels(current)) {
    refuse(`node ${JSON.stringify(node)} cannot update labels through pod status`);
  }
}

export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  admit(admission) {
    const { user, definition } = admission;
    if (!user.groups.includes('system:nodes') || !user.username.startsWith(NODE_USER)) return;
    if (definition.identity.group !== '') return;
    const node = user.username.slice(NODE_USER.length);
    if (definition.identity.kind === 'Node') admitNode(admission, node);
    else if (definition.identity.kind === 'Pod') admitPod(admission, node);
  },
};
