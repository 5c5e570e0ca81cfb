/** The Worker: public hosts go to the edge, everything else is the API. What it serves is `http/app.ts`; objects are exported here. */
import { Cluster } from './cluster.ts';
import type { Env } from './env.ts';
import { createApp, withApiHeaders } from './http/app.ts';
import { Relay } from './relay.ts';

const app = createApp();

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    return withApiHeaders(request, await app.fetch(request, env, context));
  },
} satisfies ExportedHandler<Env>;

export { Cluster, Relay };
