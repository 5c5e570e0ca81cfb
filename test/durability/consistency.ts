/**
 * What must be true of a whole store when nothing is under way: tables against each other, and objects against what they say
 * of one another. Read from SQLite alone, with none of the code that wrote it, so that both would have to be wrong.
 * Only `settled` state is judged as a whole: controllers have had their time.
 */
import type { Deployment, ReplicaSet } from '../../shared/api/apps.ts';
import type { Node, Pod, ResourceQuota, Service } from '../../shared/api/core.ts';
import type { EndpointSlice } from '../../shared/api/discovery.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import type { Sql } from '../../worker/store/sql.ts';

interface Version {
  revision: number;
  resource: string;
  namespace: string;
  name: string;
  previous: number;
  deleted: number;
  entries: string | null;
  text: string;
}

interface Live {
  resource: string;
  namespace: string;
  name: string;
  revision: number;
  object: KubeObject;
}

/** A store as it was found. */
interface Found {
  sql: Sql;
  nowMs: number;
  compacted: number;
  live: readonly Live[];
  of<T extends KubeObject>(resource: string): T[];
}

export interface Consistency {
  objects: number;
  revision: number;
  /** Violations by what was checked; each check is in here. */
  checks: Record<string, string[]>;
}

/** Work that is due for so long is not being done. */
const OVERDUE_MS = 30_000;

const keyText = ({ resource, namespace, name }: Pick<Live, 'resource' | 'namespace' | 'name'>) =>
  `${resource} ${namespace}/${name}`;
const pathOf = ({ metadata }: KubeObject) => `${metadata.namespace ?? ''}/${metadata.name}`;
const isReady = ({ status }: Pod) =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True');
const hasEnded = ({ status }: Pod) => status?.phase === 'Succeeded' || status?.phase === 'Failed';
const controllerUid = ({ metadata }: KubeObject) => metadata.ownerReferences?.find((each) => each.controller)?.uid;

/** What occurs more than once, with who has it. */
function twice(pairs: Iterable<readonly [value: string, who: string]>): string[] {
  const holders = new Map<string, string[]>();
  for (const [value, who] of pairs) holders.set(value, [...(holders.get(value) ?? []), who]);
  return [...holders]
    .filter(([, all]) => all.length > 1)
    .map(([value, all]) => `${value} belongs to ${all.join(' and ')}`);
}

function* problems<T>(items: Iterable<T>, judge: (item: T) => string | false | undefined): Generator<string> {
  for (const item of items) {
    const problem = judge(item);
    if (problem) yield problem;
  }
}

const CHECKS: Record<string, (found: Found) => Iterable<string>> = {
  'SQLite finds its file whole': ({ sql }) =>
    sql
      .all<{ integrity_check: string }>('PRAGMA integrity_check')
      .map(({ integrity_check }) => integrity_check)
      .filter((said) => said !== 'ok'),

  'each object is the newest version of its key': ({ live, sql }) => {
    const newest = new Map(
      sql
        .all<Version>(
          'SELECT l.* FROM log l JOIN (SELECT max(revision) AS r FROM log GROUP BY resource, namespace, name) ON r = l.revision',
        )
        .filter(({ deleted }) => !deleted)
        .map((version) => [keyText(version), version.revision]),
    );
    const wrong = live.filter((each) => newest.get(keyText(each)) !== each.revision).map(keyText);
    const known = new Set(live.map(keyText));
    return [...wrong, ...[...newest.keys()].filter((key) => !known.has(key)).map((key) => `${key} is not listed`)];
  },

  'each text says its own revision, namespace and name': ({ live }) =>
    problems(live, (each) => {
      const { resourceVersion, namespace = '', name } = each.object.metadata;
      const isSame = resourceVersion === String(each.revision) && namespace === each.namespace && name === each.name;
      return !isSame && `${keyText(each)} at ${each.revision} says ${namespace}/${name} at ${resourceVersion}`;
    }),

  'each version follows the one that it supersedes': function* ({ sql, compacted }) {
    const last = new Map<string, Version>();
    const columns = 'revision, resource, namespace, name, previous, deleted';
    for (const version of sql.each<Version>(`SELECT ${columns} FROM log ORDER BY revision`)) {
      const key = keyText(version);
      const before = last.get(key);
      last.set(key, version);
      const expected = before === undefined || before.deleted ? 0 : before.revision;
      // What it superseded may be compacted.
      const isFine = version.previous === expected || (before === undefined && version.previous <= compacted);
      if (!isFine) yield `${key} at ${version.revision} follows ${version.previous}, not ${expected}`;
    }
  },

  'the index has the rows of each object and no others': function* ({ sql, live }) {
    const rows = new Set<string>();
    for (const row of sql.each<{ resource: string; namespace: string; name: string; entry: string; value: string }>(
      'SELECT * FROM entries',
    ))
      rows.add(`${keyText(row)} ${row.entry}=${row.value}`);
    for (const each of live) {
      const kept = sql.all<{ entries: string }>('SELECT entries FROM log WHERE revision = ?', each.revision)[0];
      const flat: string[] = JSON.parse(kept?.entries ?? '[]');
      const said = flat.flatMap((index, at) => (at % 2 === 0 ? [[index, flat[at + 1] ?? ''] as const] : []));
      const { labels = {}, ownerReferences = [] } = each.object.metadata;
      const nodeName = each.resource === 'pods' ? ((each.object as Pod).spec.nodeName ?? '') : undefined;
      const wanted = new Set([
        ...said.filter(([index]) => !index.startsWith('field:')).map(([index, value]) => `${index}=${value}`),
        ...Object.entries(labels).map(([label, value]) => `label:${label}=${value}`),
        ...ownerReferences.map(({ uid }) => `owner=${uid}`),
        ...(nodeName === undefined ? [] : [`field:spec.nodeName=${nodeName}`]),
      ]);
      for (const entry of wanted)
        if (!rows.delete(`${keyText(each)} ${entry}`)) yield `${keyText(each)} is not found by ${entry}`;
    }
    for (const row of rows) yield `${row} leads to nothing`;
  },

  'no uid is given twice': ({ live }) => twice(live.map((each) => [each.object.metadata.uid, keyText(each)])),

  'each object is in a namespace that exists': ({ live, of }) => {
    const names = new Set(of('namespaces').map(({ metadata }) => metadata.name));
    return live.filter(({ namespace }) => namespace !== '' && !names.has(namespace)).map(keyText);
  },

  'each owner exists': ({ live }) => {
    const uids = new Set(live.map(({ object }) => object.metadata.uid));
    return problems(live, (each) => {
      const owners = each.object.metadata.ownerReferences ?? [];
      return owners.length > 0 && !owners.some(({ uid }) => uids.has(uid)) && `${keyText(each)} is an orphan`;
    });
  },

  'nothing is still being deleted': ({ live }) =>
    live.filter(({ object }) => object.metadata.deletionTimestamp !== undefined).map(keyText),

  'each pod is on a node that exists, at an address of its own': ({ of }) => {
    const nodes = new Map(of<Node>('nodes').map((node) => [node.metadata.name, node]));
    const pods = of<Pod>('pods').filter((pod) => !hasEnded(pod));
    const own = pods.filter(({ spec }) => spec.hostNetwork !== true);
    return [
      ...problems(pods, (pod) => {
        const { nodeName } = pod.spec;
        return nodeName !== undefined && !nodes.has(nodeName) && `${pathOf(pod)} is on ${nodeName}, which is gone`;
      }),
      ...twice(own.flatMap((pod) => (pod.status?.podIP ? [[pod.status.podIP, pathOf(pod)] as const] : []))),
    ];
  },

  'no subnet, cluster address or node port is given twice': ({ of }) => {
    const services = of<Service>('services');
    return [
      ...twice(of<Node>('nodes').map(({ metadata, spec }) => [spec.podCIDR ?? metadata.name, metadata.name])),
      ...twice(
        services.flatMap((service) => {
          const addresses = service.spec.clusterIPs ?? [];
          return addresses.filter((each) => each !== 'None').map((each) => [each, pathOf(service)] as const);
        }),
      ),
      ...twice(
        services.flatMap((service) =>
          (service.spec.ports ?? []).flatMap(({ nodePort, protocol = 'TCP' }) =>
            nodePort ? [[`${protocol} ${nodePort}`, pathOf(service)] as const] : [],
          ),
        ),
      ),
    ];
  },

  'what is counted of replicas is what there is': ({ of }) => {
    const pods = of<Pod>('pods').filter((pod) => !hasEnded(pod));
    const sets = of<ReplicaSet>('replicasets.apps');
    return [
      ...problems(sets, (set) => {
        const own = pods.filter((pod) => controllerUid(pod) === set.metadata.uid);
        const there = [own.length, own.filter(isReady).length];
        const said = [set.status?.replicas ?? 0, set.status?.readyReplicas ?? 0];
        const isSame = String(there) === String(said) && there[0] === set.spec.replicas;
        return !isSame && `replicaset ${pathOf(set)} wants ${set.spec.replicas}, says ${said}, has ${there}`;
      }),
      ...problems(of<Deployment>('deployments.apps'), (deployment) => {
        const own = sets.filter((set) => controllerUid(set) === deployment.metadata.uid);
        const there = own.reduce((sum, set) => sum + (set.status?.replicas ?? 0), 0);
        const said = deployment.status?.replicas ?? 0;
        const isSame = said === there && said === deployment.spec.replicas;
        return (
          !isSame && `deployment ${pathOf(deployment)} wants ${deployment.spec.replicas}, says ${said}, has ${there}`
        );
      }),
    ];
  },

  'what a quota says is used is what there is': ({ live, of }) =>
    problems(of<ResourceQuota>('resourcequotas'), (quota) => {
      const { namespace = '' } = quota.metadata;
      const used = quota.status?.used ?? {};
      const inside = (resource: string) =>
        live.filter((each) => each.resource === resource && each.namespace === namespace);
      const there: Record<string, number> = {
        pods: inside('pods').filter(({ object }) => !hasEnded(object as Pod)).length,
        configmaps: inside('configmaps').length,
        'count/configmaps': inside('configmaps').length,
        services: inside('services').length,
      };
      const wrong = Object.entries(used).filter(([name, amount]) => name in there && Number(amount) !== there[name]);
      return (
        wrong.length > 0 && `${pathOf(quota)}: ${wrong.map(([name, said]) => `${name} ${said}, not ${there[name]}`)}`
      );
    }),

  'each Service leads to the ready pods that it selects': ({ of }) => {
    const pods = of<Pod>('pods').filter((pod) => !hasEnded(pod) && isReady(pod));
    const slices = of<EndpointSlice>('endpointslices.discovery.k8s.io');
    return problems(of<Service>('services'), (service) => {
      const selector = Object.entries(service.spec.selector ?? {});
      if (selector.length === 0) return undefined;
      const { namespace } = service.metadata;
      const wanted = pods
        .filter(({ metadata }) => metadata.namespace === namespace)
        .filter(({ metadata }) => selector.every(([label, value]) => metadata.labels?.[label] === value))
        .map(({ status }) => status?.podIP ?? '');
      const told = slices
        .filter((slice) => controllerUid(slice) === service.metadata.uid)
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses);
      const isSame = wanted.sort().join() === told.sort().join();
      return !isSame && `${pathOf(service)} leads to ${told.length} addresses, not the ${wanted.length} ready pods`;
    });
  },

  'no work is overdue': ({ sql, nowMs }) =>
    sql
      .all<{ queue: string; key: string; due_ms: number; attempts: number }>('SELECT * FROM work')
      .filter(({ due_ms }) => due_ms < nowMs - OVERDUE_MS)
      .map(({ queue, key, attempts }) => `${queue} ${key} after ${attempts} attempts`),
};

/** @param nowMs when the store was last served. */
export function checkStore(sql: Sql, nowMs: number): Consistency {
  const [meta] = sql.all<{ compacted: number }>('SELECT compacted FROM meta');
  const rows = sql.all<Version>('SELECT o.*, l.text FROM objects o LEFT JOIN log l ON l.revision = o.revision');
  const live = rows.map(({ resource, namespace, name, revision, text }) => ({
    resource,
    namespace,
    name,
    revision,
    object: JSON.parse(text ?? '{"metadata":{}}') as KubeObject,
  }));
  const found: Found = {
    sql,
    nowMs,
    compacted: meta?.compacted ?? 0,
    live,
    of: <T extends KubeObject>(resource: string) =>
      live.filter((each) => each.resource === resource).map(({ object }) => object as T),
  };
  return {
    objects: live.length,
    revision: sql.all<{ newest: number }>('SELECT max(revision) AS newest FROM log')[0]?.newest ?? found.compacted,
    checks: Object.fromEntries(Object.entries(CHECKS).map(([what, check]) => [what, [...check(found)]])),
  };
}
