/**
 * Which requests have an audit trail: all of the API's, once there is a policy (AUDIT_POLICY), and none without. Trails are
 * found again by their request, so that what knows nothing of auditing need not carry them.
 */
import type { AuditPolicy } from '../../../shared/api/audit.ts';
import { AuditPolicyError, auditPolicyOf } from '../../../shared/audit-policy.ts';
import { internalError, StatusError } from '../../../shared/errors.ts';
import type { Env } from '../../env.ts';
import { parseYaml } from '../../resources/yaml.ts';
import { YamlError } from '../../resources/yaml-error.ts';
import { auditIdOf, errorAnswer } from '../answers.ts';
import { AuditTrail } from './trail.ts';
import { lineOf } from './truncate.ts';

const trails = new WeakMap<Request, AuditTrail>();

let known: { text: string; policy: AuditPolicy } | undefined;

/** Nothing is served under a policy that cannot be read. */
function policyOf(text: string): AuditPolicy | StatusError {
  if (known?.text === text) return known.policy;
  try {
    known = { text, policy: auditPolicyOf(parseYaml(text).value) };
    return known.policy;
  } catch (error) {
    if (!(error instanceof AuditPolicyError || error instanceof YamlError)) throw error;
    console.error(JSON.stringify({ level: 'error', message: 'AUDIT_POLICY is invalid', error: error.message }));
    return internalError(`AUDIT_POLICY is invalid: ${error.message}`);
  }
}

/** Serves a request, and writes down what its policy says. Without a policy it only serves. */
export async function audited(
  request: Request,
  env: Env,
  serve: (auditId?: string) => Promise<Response>,
): Promise<Response> {
  if (env.AUDIT_POLICY === undefined || env.AUDIT_POLICY === '') return serve();
  const trail = openTrail(env.AUDIT_POLICY, request);
  if (trail instanceof StatusError) return errorAnswer(trail, {});
  return trail.answered(await serve(trail.auditId));
}

function openTrail(policy: string, request: Request): AuditTrail | StatusError {
  const read = policyOf(policy);
  if (read instanceof StatusError) return read;
  const trail = new AuditTrail(request, {
    policy: read,
    auditId: auditIdOf(request.headers),
    nowMs: () => Date.now(),
    write: (event) => console.log(lineOf(event)),
  });
  trails.set(request, trail);
  return trail;
}

export const trailOf = (env: Env, request: Request): AuditTrail | undefined =>
  env.AUDIT_POLICY === undefined ? undefined : trails.get(request);
