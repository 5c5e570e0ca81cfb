/** Kernel parameters that a pod asks for. Source: kubernetes, pkg/apis/core/validation validateSysctls. */
import type { PodSpec } from '../../shared/api/core.ts';
import type { StatusCause } from '../../shared/api/meta.ts';
import { duplicateValue, invalidValue, required } from '../../shared/errors.ts';

const SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const EXPRESSION = String.raw`^(${SEGMENT}[\./])*${SEGMENT}$`;
const WHOLE = new RegExp(EXPRESSION);
const MAX_LENGTH = 253;

export function validateSysctls(spec: PodSpec, path: string): StatusCause[] {
  const names = new Set<string>();
  return (spec.securityContext?.sysctls ?? []).flatMap(({ name = '' }, index) => {
    const at = `${path}.securityContext.sysctls[${index}].name`;
    if (name === '') return [required(at)];
    if (name.length > MAX_LENGTH || !WHOLE.test(name)) {
      return [invalidValue(at, name, `must have at most ${MAX_LENGTH} characters and match regex ${EXPRESSION}`)];
    }
    // Kubernetes: `net/ipv4` and `net.ipv4` are one name, once a slash comes first.
    const canonical =
      /[./]/.exec(name)?.[0] === '/' ? name.replace(/[./]/g, (each) => (each === '/' ? '.' : '/')) : name;
    if (names.has(canonical)) return [duplicateValue(at, name)];
    names.add(canonical);
    return [];
  });
}
