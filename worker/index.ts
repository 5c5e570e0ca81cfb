/**
 * The Worker: public hosts and webhooks go to the edge, everything else is the API (`http/app.ts`). The object classes are
 * exported here.
 */
import { Cluster } from './cluster.ts';
import { handleHook, parseHookPath } from './edge/hooks.ts';
import { handlePublic, isPublic } from './edge/public.ts';
import type { Env } from './env.ts';
import { createApp, withApiHeaders } from './http/app.ts';
import { audited } from './http/audit/audit.ts';
import { splitTarget } from './http/request-info.ts';
import { Relay } from './relay.ts';

const app = createApp();

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    if (isPublic(request, env)) return handlePublic(request, env);
    if (parseHookPath(splitTarget(request.url).path) !== undefined) return handleHook(request, env);
    return audited(request, env, async (auditId) =>
      withApiHeaders(request, await app.fetch(request, env, context), auditId),
    );
  },
} satisfies ExportedHandler<Env>;

export { Cluster, Relay };
