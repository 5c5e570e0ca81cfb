/** GET /metrics of a cluster, in Prometheus' text form: what the store knows without counting anything on the way. */
import { groupResourceOf } from '../../shared/api/meta.ts';
import type { Catalog } from '../resources/catalog.ts';
import type { Store } from '../store/store.ts';

export function metricsAnswer(store: Store, catalog: Catalog): Response {
  const stored = catalog.definitions.filter((each) => each.virtual !== true);
  const lines = [
    '# HELP apiserver_storage_objects [STABLE] Number of stored objects at the time of last check split by kind.',
    '# TYPE apiserver_storage_objects gauge',
    ...stored.map(({ identity }) => {
      const resource = groupResourceOf(identity);
      return `apiserver_storage_objects{resource="${resource}"} ${store.count({ resource })}`;
    }),
    '# HELP longshore_store_revision Newest revision of the store.',
    '# TYPE longshore_store_revision counter',
    `longshore_store_revision ${store.revision}`,
    '# HELP longshore_store_compacted_revision History up to this revision is gone.',
    '# TYPE longshore_store_compacted_revision counter',
    `longshore_store_compacted_revision ${store.compactedRevision}`,
  ];
  return new Response(`${lines.join('\n')}\n`, {
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
  });
}
