/** Headers as a proxy passes them on, both ways. Pure. Source: RFC 9110, section 7.6. */

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // The edge has answered it already.
  'expect',
]);
/** Belong to one handshake; the minion makes its own. */
const HANDSHAKE = new Set([
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-accept',
]);

/** Besides the fixed ones, those that `Connection` names. */
function hopByHop(headers: Headers): Set<string> {
  const named = (headers.get('connection') ?? '').split(',').map((each) => each.trim().toLowerCase());
  return new Set([...HOP_BY_HOP, ...HANDSHAKE, ...named]);
}

export function requestHeaders(request: Request, prefix: string): [string, string][] {
  const { headers } = request;
  const url = new URL(request.url);
  const dropped = hopByHop(headers);
  const kept: [string, string][] = [...headers].filter(([name]) => !dropped.has(name) && !FORWARDED.has(name));
  if (!headers.has('host')) kept.unshift(['host', url.host]);
  const client = headers.get('cf-connecting-ip') ?? headers.get('x-forwarded-for');
  kept.push(['x-forwarded-host', headers.get('host') ?? url.host]);
  kept.push(['x-forwarded-proto', url.protocol.slice(0, -1)]);
  if (client !== null) kept.push(['x-forwarded-for', client]);
  if (prefix !== '') kept.push(['x-forwarded-prefix', prefix]);
  return kept;
}

/** Only this proxy says these. */
const FORWARDED = new Set(['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-for', 'x-forwarded-prefix']);

export function responseHeaders(given: readonly [string, string][]): Headers {
  const headers = new Headers();
  for (const [name, value] of given) headers.append(name, value);
  for (const name of hopByHop(headers)) if (name !== '') headers.delete(name);
  return headers;
}
