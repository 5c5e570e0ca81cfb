/**
 * Judges a write by the cluster's ValidatingAdmissionPolicies: every binding of every policy that speaks of it, with each of
 * its parameters. What an expression may look at is `resources/admission-cel.ts`.
 * Source: apiserver, pkg/admission/plugin/policy/validating
 */
import type { ParamRef, ValidatingAdmissionPolicyBinding } from '../../shared/api/admissionregistration.ts';
import { groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import { forbidden, StatusError } from '../../shared/errors.ts';
import { matchesLabelSelector } from '../../shared/selectors.ts';
import { type CompiledPolicy, compilePolicy } from '../resources/admission-cel.ts';
import {
  type CelBudget,
  CelCompileError,
  CelCostError,
  CelEvaluationError,
  type CelProgram,
} from '../resources/cel.ts';
import type { BoundPolicy } from './configurations.ts';
import { isExempt, matchResources, namespaceOf } from './matching.ts';
import type { Admission, AdmissionPlugin } from './plugin.ts';
import { inForm, requestOf } from './request.ts';

/** One thing that a policy has against a write. */
interface Objection {
  message: string;
  reason: string;
  /** Of the validation, among the policy's. */
  index: number;
}

const CODES: Record<string, number> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };
/** Kubernetes: all expressions of one policy on one write. */
const BUDGET = 10_000_000;
const FAILURE_ANNOTATION = 'validation.policy.admission.k8s.io/validation_failure';
const MAX_MESSAGE_BYTES = 5 * 1024;
const NO_PARAMS = 'no params found for policy binding with `Deny` parameterNotFoundAction';

class ConfigurationError extends Error {}

const errorText = (error: unknown): string => {
  if (error instanceof CelEvaluationError || error instanceof CelCostError || error instanceof CelCompileError) {
    return error.message;
  }
  throw error;
};

/** Evaluates a policy's expressions over one write; a variable is evaluated once, when an expression first names it. */
class Evaluation {
  readonly #policy: CompiledPolicy;
  readonly #bindings: Record<string, unknown>;
  readonly #budget: CelBudget = { remaining: BUDGET };
  readonly #variables: Record<string, unknown> = {};
  readonly #failed = new Map<string, string>();
  readonly #done = new Set<string>();

  constructor(policy: CompiledPolicy, bindings: Record<string, unknown>) {
    this.#policy = policy;
    this.#bindings = { ...bindings, variables: this.#variables };
  }

  /** @throws CelEvaluationError, CelCostError */
  evaluate(program: CelProgram): unknown {
    this.#settle(program);
    try {
      return program.evaluate(this.#bindings, this.#budget);
    } catch (error) {
      const missing = error instanceof CelEvaluationError ? /no such key: (\w+)/.exec(error.message)?.[1] : undefined;
      const why = missing === undefined ? undefined : this.#failed.get(missing);
      if (why === undefined) throw error;
      throw new CelEvaluationError(`composited variable ${JSON.stringify(missing)} fails to evaluate: ${why}`);
    }
  }

  /** An expression sees the variables that it names: those that fail are missing, which matters only if they are reached. */
  #settle(program: CelProgram): void {
    if (!program.uses('variables')) return;
    for (const { name, program: own } of this.#policy.variables) {
      if (this.#done.has(name) || !new RegExp(`variables\\s*\\.\\s*${name}\\b`).test(program.expression)) continue;
      this.#done.add(name);
      try {
        this.#variables[name] = this.evaluate(own);
      } catch (error) {
        this.#failed.set(name, errorText(error));
      }
    }
  }
}

/** @returns undefined when some condition is false. @throws CelEvaluationError when one cannot be judged and none is false. */
function conditionsHold(policy: CompiledPolicy, evaluation: Evaluation): boolean {
  const errors: string[] = [];
  for (const { program } of policy.conditions) {
    try {
      if (evaluation.evaluate(program) !== true) return false;
    } catch (error) {
      errors.push(errorText(error));
    }
  }
  if (errors.length === 0) return true;
  throw new CelEvaluationError(errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]`);
}

function messageOf(evaluation: Evaluation, program: CelProgram | undefined, otherwise: string): string {
  if (program === undefined) return otherwise;
  try {
    const text = String(evaluation.evaluate(program)).trim();
    const fits = text !== '' && !/[\r\n]/.test(text) && new TextEncoder().encode(text).length <= MAX_MESSAGE_BYTES;
    return fits ? text : otherwise;
  } catch (error) {
    // Kubernetes: a message that cannot be made gives way to the plain one; the reason is in the server's log.
    errorText(error);
    return otherwise;
  }
}

function judge(
  { policy, bindings: _ }: BoundPolicy,
  compiled: CompiledPolicy,
  evaluation: Evaluation,
  annotate: (key: string, value: string) => void,
): Objection[] {
  const fails = policy.spec.failurePolicy !== 'Ignore';
  const broken = (message: string, index = 0): Objection[] => (fails ? [{ message, reason: '', index }] : []);
  try {
    if (!conditionsHold(compiled, evaluation)) return [];
  } catch (error) {
    return broken(errorText(error));
  }
  const objections = compiled.validations.flatMap(({ program, message }, index): Objection[] => {
    const { expression = '', message: plain = '', reason = '' } = policy.spec.validations?.[index] ?? {};
    try {
      if (evaluation.evaluate(program) === true) return [];
    } catch (error) {
      return broken(`expression '${expression}' resulted in error: ${errorText(error)}`, index);
    }
    const otherwise = plain.trim() === '' ? `failed expression: ${expression.trim()}` : plain.trim();
    return [{ message: messageOf(evaluation, message, otherwise), reason, index }];
  });
  for (const { key, program } of compiled.annotations) {
    try {
      const value = evaluation.evaluate(program);
      if (typeof value === 'string' && value.trim() !== '') annotate(`${policy.metadata.name}/${key}`, value.trim());
    } catch (error) {
      objections.push(...broken(`valueExpression '${program.expression}' resulted in error: ${errorText(error)}`));
    }
  }
  return objections;
}

// ---- Parameters -----------------------------------------------------------------------------------------------------

/** @returns one null for a policy or binding without parameters. @throws ConfigurationError */
function paramsOf(
  { policy }: BoundPolicy,
  binding: ValidatingAdmissionPolicyBinding,
  admission: Admission,
): (KubeObject | null)[] {
  const { paramKind } = policy.spec;
  const ref = binding.spec.paramRef;
  if (paramKind === undefined || ref === undefined) return [null];
  const served = admission.catalog.findKind(paramKind.apiVersion ?? '', paramKind.kind ?? '');
  if (served === undefined) {
    const what = `${paramKind.apiVersion}, Kind=${paramKind.kind}`;
    throw new ConfigurationError(`paramKind kind \`${what}\` not known`);
  }
  const found = findParams(served.definition.identity, ref, admission);
  if (found.length === 0 && ref.parameterNotFoundAction !== 'Allow') throw new ConfigurationError(NO_PARAMS);
  const { conversion, identity } = served.definition;
  if (conversion !== undefined) return found.map((each) => admission.inVersion(conversion, each, identity.version));
  return found.map((each) => (served.convert === undefined ? each : shownAs(served.convert.fromStored, each)));
}

const shownAs = (fromStored: (object: Record<string, unknown>) => Record<string, unknown>, object: KubeObject) =>
  fromStored(object as unknown as Record<string, unknown>) as unknown as KubeObject;

function findParams(identity: Identity, ref: ParamRef, { namespace: own, reader }: Admission): KubeObject[] {
  let namespace = '';
  if (identity.namespaced) {
    namespace = ref.namespace || own;
    if (namespace === '') {
      throw new ConfigurationError(
        'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
      );
    }
  } else if (ref.namespace) {
    throw new ConfigurationError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  }
  const resource = groupResourceOf(identity);
  if (ref.name) {
    const found = reader.get(resource, namespace, ref.name);
    return found === undefined ? [] : [found];
  }
  return reader
    .list(resource, { namespace })
    .filter((each) => matchesLabelSelector(ref.selector, each.metadata.labels));
}

// ---- The plugin -----------------------------------------------------------------------------------------------------

function denial(admission: Admission, message: string, reason: string): StatusError {
  const { identity } = admission.definition;
  const { status } = forbidden(identity, admission.name, message);
  const why = reason === '' ? 'Invalid' : reason;
  const causes = [{ message }];
  return new StatusError(CODES[why] ?? 422, why, status.message ?? message, { ...status.details, causes });
}

/** @returns what keeps the write from being done; what only warns or is recorded is seen to here. */
function judgeBinding(
  bound: BoundPolicy,
  binding: ValidatingAdmissionPolicyBinding,
  admission: Admission,
): StatusError[] {
  const { policy } = bound;
  const form = matchResources(policy.spec.matchConstraints ?? {}, admission);
  if (form === undefined || matchResources(binding.spec.matchResources ?? {}, admission) === undefined) return [];
  const names = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}'`;
  const denied = (message: string, reason = '') => denial(admission, `${names} denied request: ${message}`, reason);
  let compiled: CompiledPolicy;
  let params: (KubeObject | null)[];
  try {
    compiled = compilePolicy(policy);
    params = paramsOf(bound, binding, admission);
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof CelCompileError)) throw error;
    return policy.spec.failurePolicy === 'Ignore' ? [] : [denied(`failed to configure binding: ${error.message}`)];
  }
  const shared = {
    object: inForm(admission, form, admission.draft),
    oldObject: inForm(admission, form, admission.current),
    request: requestOf(admission, form),
    namespaceObject: shownNamespace(admission),
  };
  const actions = binding.spec.validationActions ?? [];
  const denials: StatusError[] = [];
  for (const param of params) {
    const evaluation = new Evaluation(compiled, { ...shared, params: param });
    for (const { message, reason, index } of judge(bound, compiled, evaluation, admission.annotate)) {
      if (actions.includes('Audit')) {
        const failure = {
          message,
          policy: policy.metadata.name,
          binding: binding.metadata.name,
          expressionIndex: index,
          validationActions: actions,
        };
        admission.annotate(FAILURE_ANNOTATION, JSON.stringify([failure]));
      }
      if (actions.includes('Warn')) admission.warn(`Validation failed for ${names}: ${message}`);
      if (actions.includes('Deny')) denials.push(denied(message, reason));
    }
  }
  return denials;
}

/** Kubernetes: what expressions see of a namespace is its metadata, spec and status; nothing for cluster-scoped objects. */
function shownNamespace(admission: Admission): KubeObject | null {
  if (admission.namespace === '') return null;
  const namespace = namespaceOf(admission);
  if (namespace === undefined) return null;
  const { managedFields: _, ownerReferences: __, ...metadata } = namespace.metadata;
  return { ...namespace, metadata };
}

export const validatingAdmissionPolicy: AdmissionPlugin = {
  name: 'ValidatingAdmissionPolicy',
  validate(admission) {
    const { policies } = admission.configurations;
    if (policies.length === 0 || isExempt(admission)) return;
    const denials = policies.flatMap((bound) =>
      bound.bindings.flatMap((binding) => judgeBinding(bound, binding, admission)),
    );
    if (denials[0] !== undefined) throw denials[0];
  },
};
