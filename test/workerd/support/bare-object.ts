/** Empty Durable Objects of the test Worker. */
import { env } from 'cloudflare:workers';
import type { Bare, PartsEnv } from './parts-worker.ts';

const { BARE } = env as unknown as PartsEnv;

/** A new one, or a new stub of one whose stubs died with it. */
export const bareObject = (id: DurableObjectId = BARE.newUniqueId()): DurableObjectStub<Bare> => BARE.get(id);
