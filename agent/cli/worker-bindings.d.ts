/**
 * The names of Cloudflare's binding types, opaque: the command line shares the Worker's token code, whose imports mention
 * them, and never holds a binding. The real ones belong to the worker's own type check.
 */
type DurableObjectNamespace<T = unknown> = { readonly opaque?: T };
type Fetcher = object;
declare namespace Rpc {
  type DurableObjectBranded = object;
}
