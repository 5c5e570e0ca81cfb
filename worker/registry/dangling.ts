/**
 * Whether the priority level that a FlowSchema names is there, as its condition `Dangling` says it. Who keeps it true is
 * `controllers/flowschemas.ts`; a new cluster's have it from their first write.
 * Source: apiserver, pkg/util/flowcontrol/apf_controller.go
 */
import type { FlowSchema } from '../../shared/api/flowcontrol.ts';
import type { Condition, Draft } from '../../shared/api/meta.ts';
import { formatTime } from '../../shared/time.ts';

const TYPE = 'Dangling';

type Said = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

function saidOf({ spec }: Draft<FlowSchema>, levelExists: boolean): Said {
  const named = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(spec.priorityLevelConfiguration.name)}`;
  return levelExists
    ? { type: TYPE, status: 'False', reason: 'Found', message: `${named} and it exists` }
    : { type: TYPE, status: 'True', reason: 'NotFound', message: `${named} but there is no such object` };
}

/** @returns undefined where the condition says so already. */
export function withDangling<T extends Draft<FlowSchema>>(
  schema: T,
  levelExists: boolean,
  nowMs: number,
): T | undefined {
  const said = saidOf(schema, levelExists);
  const conditions = schema.status?.conditions ?? [];
  const current = conditions.find((each) => each.type === TYPE);
  if (current?.status === said.status && current.reason === said.reason && current.message === said.message) {
    return undefined;
  }
  // Kubernetes: another level by name counts as a transition, too.
  const condition: Condition = { ...said, lastTransitionTime: formatTime(nowMs) };
  const others = conditions.filter((each) => each.type !== TYPE);
  return { ...schema, status: { ...schema.status, conditions: [...others, condition] } };
}
