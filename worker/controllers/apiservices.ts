/**
 * An APIService for each group version that custom resources are served in, and none once the last of them is gone. Those of
 * built-in group versions are made at the start: `registry/bootstrap-defaults.ts`.
 * Source: kube-aggregator, pkg/controllers/autoregister
 */
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../shared/api/apiextensions.ts';
import { API_SERVICES, AUTOMANAGED_LABEL } from '../../shared/api/apiregistration.ts';
import { type Controller, source } from './controller.ts';

const GROUP_PRIORITY = 1_000;
const VERSION_PRIORITY = 100;

/** Keys are names of APIServices: `VERSION.GROUP`. */
export const apiServices: Controller = {
  name: 'apiservice',
  sources: [
    source(CUSTOM_RESOURCE_DEFINITIONS, ({ object, previous }) => [
      ...new Set(
        [object, ...(previous === undefined ? [] : [previous])].flatMap(({ spec }) =>
          spec.versions.map(({ name }) => `${name}.${spec.group}`),
        ),
      ),
    ]),
    source(API_SERVICES, ({ type, object }) =>
      type === 'DELETED' && object.metadata.labels?.[AUTOMANAGED_LABEL] === 'true' ? [object.metadata.name] : [],
    ),
  ],
  reconcile(key, { objects }) {
    const version = key.slice(0, key.indexOf('.'));
    const group = key.slice(key.indexOf('.') + 1);
    const served = objects
      .list(CUSTOM_RESOURCE_DEFINITIONS)
      .some(({ spec }) => spec.group === group && spec.versions.some((each) => each.name === version && each.served));
    const current = objects.get(API_SERVICES, '', key);
    if (served && current === undefined) {
      objects.create(API_SERVICES, {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: key, labels: { [AUTOMANAGED_LABEL]: 'true' } },
        spec: { group, version, groupPriorityMinimum: GROUP_PRIORITY, versionPriority: VERSION_PRIORITY },
      });
    } else if (!served && current?.metadata.labels?.[AUTOMANAGED_LABEL] === 'true') {
      objects.delete(API_SERVICES, '', key);
    }
  },
};
