/**
 * A FlowSchema says by its condition `Dangling` whether the priority level that it names is there.
 * Source: apiserver, pkg/util/flowcontrol/apf_controller.go
 */
import { FLOW_SCHEMAS, type FlowSchema, PRIORITY_LEVEL_CONFIGURATIONS } from '../../shared/api/flowcontrol.ts';
import { withDangling } from '../registry/dangling.ts';
import type { Objects } from '../registry/objects.ts';
import { type Controller, source } from './controller.ts';

/** Keys are names. */
export const flowSchemas: Controller = {
  name: 'flowschema',
  manager: 'api-priority-and-fairness-config-consumer-v1',
  sources: [
    source(FLOW_SCHEMAS, ({ type, object }, objects) =>
      type !== 'DELETED' && corrected(object, objects) !== undefined ? [object.metadata.name] : [],
    ),
    source(PRIORITY_LEVEL_CONFIGURATIONS, ({ type, object: level }, objects) =>
      type === 'MODIFIED' ? [] : namesOf(objects, level.metadata.name),
    ),
  ],
  reconcile(name, { objects }) {
    const schema = objects.get(FLOW_SCHEMAS, '', name);
    const draft = schema && corrected(schema, objects);
    if (draft !== undefined) objects.updateStatus(FLOW_SCHEMAS, draft);
  },
};

function corrected(schema: FlowSchema, objects: Objects): FlowSchema | undefined {
  const level = objects.get(PRIORITY_LEVEL_CONFIGURATIONS, '', schema.spec.priorityLevelConfiguration.name);
  return withDangling(schema, level !== undefined, objects.nowMs);
}

const namesOf = (objects: Objects, level: string): string[] =>
  objects
    .list(FLOW_SCHEMAS)
    .filter(({ spec }) => spec.priorityLevelConfiguration.name === level)
    .map(({ metadata }) => metadata.name);
