/**
 * The CEL of admission: what expressions of webhooks and policies may look at, and policies compiled once for each version of them.
 * Evaluating them on a request is `admission/policies.ts`. `authorizer` is not offered: an expression that names it does not
 * compile, so nothing that needs it is taken for granted.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
import type { MatchCondition, ValidatingAdmissionPolicy } from '../../shared/api/admissionregistration.ts';
import { type CelEnvironment, type CelProgram, celEnvironment } from './cel.ts';
import type { CelField, CelType } from './cel-values.ts';

/** The types of `object`, `oldObject` and `params`: `dyn`, but for type checking. */
export interface KnownTypes {
  object: CelType;
  params: CelType;
}

const DYNAMIC: KnownTypes = { object: 'dyn', params: 'dyn' };

let conditions: CelEnvironment | undefined;

/** What match conditions of webhooks may look at. */
export function webhookEnvironment(): CelEnvironment {
  conditions ??= celEnvironment({ object: 'dyn', oldObject: 'dyn', request: 'dyn' });
  return conditions;
}

type Spec = ValidatingAdmissionPolicy['spec'];

/** What a policy's expressions may look at, with the first `count` of its variables. */
export function policyEnvironment(spec: Spec, count = Number.POSITIVE_INFINITY, types = DYNAMIC): CelEnvironment {
  const fields = new Map<string, CelField>();
  for (const { name } of (spec.variables ?? []).slice(0, count)) fields.set(name, { name, type: 'dyn' });
  return celEnvironment({
    object: types.object,
    oldObject: types.object,
    request: 'dyn',
    namespaceObject: 'dyn',
    ...(spec.paramKind === undefined ? {} : { params: types.params }),
    ...(fields.size === 0 ? {} : { variables: { object: { fields } } }),
  });
}

/** What match conditions of a policy may look at: no variables. */
export const conditionEnvironment = (spec: Spec, types = DYNAMIC): CelEnvironment => policyEnvironment(spec, 0, types);

export interface CompiledCondition {
  name: string;
  program: CelProgram;
}

export interface CompiledPolicy {
  conditions: CompiledCondition[];
  variables: { name: string; program: CelProgram }[];
  validations: { program: CelProgram; message: CelProgram | undefined }[];
  annotations: { key: string; program: CelProgram }[];
}

/** By the object as it was read, which whoever reads keeps for as long as it does not change. */
const compiled = new WeakMap<ValidatingAdmissionPolicy, CompiledPolicy>();
const compiledConditions = new WeakMap<readonly MatchCondition[], CompiledCondition[]>();

/** @throws CelCompileError: validation has let nothing through that does not compile, but an older version may have. */
export function compilePolicy(policy: ValidatingAdmissionPolicy): CompiledPolicy {
  const found = compiled.get(policy);
  if (found !== undefined) return found;
  const { spec } = policy;
  const whole = policyEnvironment(spec);
  const made: CompiledPolicy = {
    conditions: conditionsIn(conditionEnvironment(spec), spec.matchConditions ?? []),
    variables: (spec.variables ?? []).map(({ name, expression }, index) => ({
      name,
      program: policyEnvironment(spec, index).compile(expression),
    })),
    validations: (spec.validations ?? []).map(({ expression, messageExpression }) => ({
      program: whole.compile(expression, ['bool']),
      message: messageExpression ? whole.compile(messageExpression, ['string']) : undefined,
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key: name, valueExpression }) => ({
      key: name,
      program: whole.compile(valueExpression),
    })),
  };
  compiled.set(policy, made);
  return made;
}

/** @param list as it was read: the same array is compiled once. */
export function compileConditions(list: readonly MatchCondition[]): CompiledCondition[] {
  let made = compiledConditions.get(list);
  if (made === undefined) {
    made = conditionsIn(webhookEnvironment(), list);
    compiledConditions.set(list, made);
  }
  return made;
}

const conditionsIn = (environment: CelEnvironment, list: readonly MatchCondition[]): CompiledCondition[] =>
  list.map(({ name, expression }) => ({ name, program: environment.compile(expression, ['bool']) }));
