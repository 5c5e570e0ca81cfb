/** The Worker: public hosts go to the edge, everything else is the API. What it serves is `http/app.ts`; objects are exported here. */
import { Cluster } from './cluster.ts';
import { handleHook, parseHookPath } from './edge/hooks.ts';
import { handlePublic, isPublic } from './edge/public.ts';
import { handleHook, parseHookPath } from './edge/hooks.ts';
import { handlePublic, isPublic } from './edge/public.ts';
import type { Env } from './env.ts';
import { createApp, withApiHeaders } from './http/app.ts';
import { splitTarget } from './http/request-info.ts';
import { Relay } from './relay.ts';

const app = createApp((request, env) => {
  if (isPublic(request, env)) return handlePublic(request, env);
  return parseHookPath(new URL(request.url).pathname) === undefined ? undefined : handleHook(request, env);
});

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    if (isPublic(request, env)) return handlePublic(request, env);
    if (parseHookPath(splitTarget(request.url).path) !== undefined) return handleHook(request, env);
    return withApiHeaders(request, await app.fetch(request, env, context));
  },
} satisfies ExportedHandler<Env>;

export { Cluster, Relay };
