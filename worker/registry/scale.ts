/** autoscaling/v1 Scale of anything that has replicas: read from the object, and written back into it. */
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest, invalid, invalidValue, noSuchPath } from '../../shared/errors.ts';
import { AGE, integer, NAME } from '../resources/columns.ts';
import type { JsonObject, ResourceDefinition } from '../resources/definition.ts';
import { copyJson, isMap, type JsonMap, setKey } from './json.ts';
import type { Tabular } from './table.ts';

export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status: { replicas: number; selector?: string };
}

const SCALE = { group: 'autoscaling', kind: 'Scale' };

/** Source: kubernetes, pkg/printers/internalversion, printScale. */
export const SCALE_TABLE: Tabular = {
  columns: [
    NAME,
    integer<Scale>(
      'Desired',
      'replicas is the desired number of instances for the scaled object.',
      (scale) => scale.spec?.replicas ?? 0,
    ),
    integer<Scale>(
      'Available',
      'replicas is the actual number of observed instances of the scaled object.',
      (scale) => scale.status.replicas,
    ),
    AGE,
  ],
};

const segments = (path: string): string[] => path.split('.').filter((each) => each !== '');

function read(object: unknown, path: string): unknown {
  return segments(path).reduce<unknown>((value, key) => (isMap(value) ? value[key] : undefined), object);
}

function scaleRules(definition: ResourceDefinition): NonNullable<ResourceDefinition['scale']> {
  if (definition.scale === undefined) throw noSuchPath();
  return definition.scale;
}

export function scaleOf(definition: ResourceDefinition, object: KubeObject): Scale {
  const rules = scaleRules(definition);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = read(object, rules.specReplicas);
  const selector = rules.selector(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: typeof replicas === 'number' && replicas !== 0 ? { replicas } : {},
    status: { replicas: Number(read(object, rules.statusReplicas) ?? 0), ...(selector === '' ? {} : { selector }) },
  };
}

/** The object with the replicas that the Scale asks for. @throws StatusError 422 */
export function withScale(definition: ResourceDefinition, object: KubeObject, scale: JsonObject): KubeObject {
  const draft = copyJson(object);
  takeScale(definition, draft, scale);
  return draft;
}

/** The same in place. */
export function takeScale(definition: ResourceDefinition, draft: KubeObject, scale: JsonObject | Scale): void {
  const rules = scaleRules(definition);
  const spec = isMap(scale.spec) ? scale.spec : {};
  const replicas = spec.replicas ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) throw badRequest('spec.replicas must be an integer');
  if (replicas < 0) {
    const cause = invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw invalid(SCALE, draft.metadata.name, [cause]);
  }
  const path = segments(rules.specReplicas);
  let at = draft as unknown as JsonMap;
  for (const key of path.slice(0, -1)) {
    if (!isMap(at[key])) setKey(at, key, {});
    at = at[key] as JsonMap;
  }
  setKey(at, path.at(-1) ?? '', replicas);
}
