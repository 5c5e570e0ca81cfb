/**
 * Who may do what. Synchronous, in the Cluster object: admins may everything; a minion what its own node and its own pods
 * need (the Node authorizer); everybody else what RBAC's roles give (`registry/rbac`). What anonymous may without an object
 * is the Worker's to say (`app.ts`).
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/
 */

import { LEASES } from '../../shared/api/coordination.ts';
import { ENDPOINT_SLICES } from '../../shared/api/discovery.ts';
import { groupResourceOf } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { DATA_PATH, JOIN_PATH, LINK_PATH } from '../../shared/link/protocol.ts';
import { type Decision, type Policy, policyOf } from '../registry/rbac/policy.ts';
import type { AccessRequest } from '../registry/rbac/rules.ts';
import type { Reader, Store } from '../store/store.ts';
import { nodeOfUser, type UserInfo } from '../users.ts';
import type { RequestInfo } from './request-info.ts';

/** What is asked, and by whom. */
export interface Attributes extends AccessRequest {
  user: UserInfo;
}

export const attributesOf = (user: UserInfo, info: RequestInfo): Attributes => ({
  user,
  verb: info.verb,
  isResource: info.isResource,
  group: info.group,
  resource: info.resource,
  subresource: info.subresource,
  namespace: info.namespace,
  name: info.name,
  path: info.path,
});

type Rule = (attributes: Attributes, reader: Reader) => Decision | undefined;

const allow = (reason: string): Decision => ({ allowed: true, reason });

const masters: Rule = ({ user }) => (user.groups.includes('system:masters') ? allow('') : undefined);

const bootstrappers: Rule = ({ user, isResource, path, verb }) =>
  user.groups.includes('system:bootstrappers') && !isResource && verb === 'post' && path === JOIN_PATH
    ? allow('join')
    : undefined;

/** Everything a proxy, a DNS server and an overlay read. */
const NODE_READS = new Set(['services', groupResourceOf(ENDPOINT_SLICES), 'endpoints', 'nodes', 'pods']);
const READ = new Set(['get', 'list', 'watch']);

/** Source: kubernetes, plugin/pkg/auth/authorizer/node. Own pods and their references are looked up in the index. */
const nodes: Rule = (attributes, reader) => {
  const { user, verb, isResource, path } = attributes;
  const node = nodeOfUser(user);
  if (node === undefined) return undefined;
  if (!isResource) return (path === LINK_PATH || path === DATA_PATH) && verb === 'get' ? allow('link') : undefined;
  const resource = groupResourceOf(attributes);
  if (READ.has(verb) && attributes.subresource === '' && NODE_READS.has(resource)) return allow('node reads');
  if (resource === 'configmaps' || resource === 'secrets' || resource === 'serviceaccounts') {
    const asked = READ.has(verb) || (verb === 'create' && attributes.subresource === 'token');
    return asked && usesObject(reader, node, attributes, resource) ? allow('used by a pod of the node') : undefined;
  }
  return writesOfNode(node, attributes, resource, reader) ? allow('node writes its own') : undefined;
};

function writesOfNode(node: string, attributes: Attributes, resource: string, reader: Reader): boolean {
  const { verb, name, namespace, subresource } = attributes;
  if (resource === 'nodes') {
    if (verb === 'create') return subresource === '' && (name === '' || name === node);
    return (verb === 'update' || verb === 'patch') && name === node;
  }
  if (resource === 'pods') {
    if (verb === 'create') return subresource === '';
    const own = isOwnPod(reader, node, namespace, name);
    if (verb === 'delete') return own && subresource === '';
    return own && subresource === 'status' && (verb === 'update' || verb === 'patch');
  }
  if (resource === 'events' || attributes.resource === 'events') return ['create', 'update', 'patch'].includes(verb);
  if (resource === groupResourceOf(LEASES))
    return namespace === 'kube-node-lease' && (name === node || verb === 'create');
  return false;
}

function isOwnPod(reader: Reader, node: string, namespace: string, name: string): boolean {
  const having = [{ index: 'field:spec.nodeName', value: node }];
  const matches = reader.list({ resource: 'pods', namespace, having }).items;
  for (const pod of matches) if (pod.name === name) return true;
  return false;
}

function usesObject(reader: Reader, node: string, attributes: Attributes, resource: string): boolean {
  if (attributes.name === '') return false;
  const having = [
    { index: 'uses', value: `${resource}/${attributes.name}` },
    { index: 'field:spec.nodeName', value: node },
  ];
  for (const _ of reader.list({ resource: 'pods', namespace: attributes.namespace, having, limit: 1 }).items)
    return true;
  return false;
}

const RULES: readonly Rule[] = [masters, bootstrappers, nodes];

/** @param policyNow inside a transaction, one compiled in it: what is kept is what was committed. */
export function authorize(
  attributes: Attributes,
  store: Store,
  policyNow: () => Policy = () => policyOf(store),
): Decision {
  for (const rule of RULES) {
    const decision = rule(attributes, store);
    if (decision !== undefined) return decision;
  }
  return policyNow().decide(attributes.user, attributes);
}

/** As the apiserver words it, for whatever rule refused. */
export function forbiddenError(attributes: Attributes, reason = ''): StatusError {
  const { user, verb, group, namespace, name } = attributes;
  const who = `User ${JSON.stringify(user.username)}`;
  const tail = reason === '' ? '' : `: ${reason}`;
  if (!attributes.isResource) {
    const text = `forbidden: ${who} cannot ${verb} path ${JSON.stringify(attributes.path)}${tail}`;
    return new StatusError(403, 'Forbidden', text, {});
  }
  const resource =
    attributes.subresource === '' ? attributes.resource : `${attributes.resource}/${attributes.subresource}`;
  const where =
    namespace === '' || (attributes.resource === 'namespaces' && group === '')
      ? ' at the cluster scope'
      : ` in the namespace ${JSON.stringify(namespace)}`;
  const what = groupResourceOf({ group, resource: attributes.resource });
  const named = name === '' ? what : `${what} ${JSON.stringify(name)}`;
  const text = `${named} is forbidden: ${who} cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)}${where}${tail}`;
  return new StatusError(403, 'Forbidden', text, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: attributes.resource,
  });
}
