/** The Worker under test for parts that need an object's storage but not the whole Cluster: an empty Durable Object. */
import { DurableObject } from 'cloudflare:workers';

export class Bare extends DurableObject {
  get storage(): DurableObjectStorage {
    return this.ctx.storage;
  }
}

export default {
  fetch(): Response {
    return new Response('only for tests', { status: 404 });
  },
};
