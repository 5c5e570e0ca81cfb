/** /healthz, /livez and /readyz with their checks, verbose and exclude, as k8s.io/apiserver/pkg/server/healthz writes them. */

export type HealthCheck = () => string | undefined;

const TEXT = {
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache, private',
};
const ENDPOINTS = ['healthz', 'livez', 'readyz'];

/** Undefined: the path is none of health's. Each check answers undefined when all is well, otherwise why not. */
export function healthAnswer(
  path: string,
  query: URLSearchParams,
  checks: Record<string, HealthCheck>,
): Response | undefined {
  const [endpoint = '', check, ...rest] = path.replace(/^\/|\/$/g, '').split('/');
  if (!ENDPOINTS.includes(endpoint) || rest.length > 0) return undefined;
  if (check !== undefined) {
    const run = Object.hasOwn(checks, check) ? checks[check] : undefined;
    if (run === undefined) return undefined;
    const why = run();
    if (why === undefined) return new Response('ok', { headers: TEXT });
    return new Response(`internal server error: ${why}\n`, { status: 500, headers: TEXT });
  }
  const excluded = new Set(
    query
      .getAll('exclude')
      .flatMap((each) => each.split(','))
      .filter((each) => each !== ''),
  );
  const lines: string[] = [];
  let failed = false;
  for (const [name, run] of Object.entries(checks)) {
    if (excluded.delete(name)) {
      lines.push(`[+]${name} excluded: ok`);
      continue;
    }
    const why = run();
    if (why !== undefined) failed = true;
    lines.push(why === undefined ? `[+]${name} ok` : `[-]${name} failed: reason withheld`);
  }
  if (excluded.size > 0) {
    const names = [...excluded]
      .sort()
      .map((each) => JSON.stringify(each))
      .join(',');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  const body = `${lines.join('\n')}\n${endpoint} check ${failed ? 'failed' : 'passed'}\n`;
  if (failed) return new Response(body, { status: 500, headers: TEXT });
  return new Response(query.has('verbose') ? body : 'ok', { headers: TEXT });
}
