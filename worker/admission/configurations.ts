/**
 * Which policies and webhooks a cluster has, read once and kept until one of them changes: a write that meets none of them
 * pays one comparison. Never stale: every write passes through the store, and the commit that touches one of these kinds
 * drops what is held.
 */
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  VALIDATING_ADMISSION_POLICIES,
  VALIDATING_ADMISSION_POLICY_BINDINGS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type ValidatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
  type ValidatingWebhook,
  type ValidatingWebhookConfiguration,
} from '../../shared/api/admissionregistration.ts';
import { groupResourceOf, type Identity, type KubeObject } from '../../shared/api/meta.ts';
import type { Store } from '../store/store.ts';

/** One webhook of one configuration. */
export interface RegisteredWebhook<T extends ValidatingWebhook = ValidatingWebhook> {
  webhook: T;
  configuration: string;
  /** Changes whenever its configuration does. */
  key: string;
}

export interface BoundPolicy {
  policy: ValidatingAdmissionPolicy;
  bindings: readonly ValidatingAdmissionPolicyBinding[];
}

/** All in the order of their names. */
export interface Configurations {
  mutating: readonly RegisteredWebhook<MutatingWebhook>[];
  validating: readonly RegisteredWebhook[];
  policies: readonly BoundPolicy[];
}

export const NO_CONFIGURATIONS: Configurations = { mutating: [], validating: [], policies: [] };
const RESOURCES = new Set(
  [
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
  ].map(groupResourceOf),
);

/** What was read before, by kind, name and revision: what has not changed stays the same object, and so compiled. */
type Known = Map<string, KubeObject>;

function readAll<T extends KubeObject>(store: Store, identity: Identity<T>, before: Known, now: Known): T[] {
  const resource = groupResourceOf(identity);
  return Array.from(store.list({ resource }).items, ({ name, revision, text }) => {
    const key = `${resource} ${name} ${revision}`;
    const object = (before.get(key) ?? JSON.parse(text)) as T;
    now.set(key, object);
    return object;
  });
}

function registered<T extends ValidatingWebhook>(
  configurations: readonly (KubeObject & { webhooks?: T[] })[],
): RegisteredWebhook<T>[] {
  return configurations.flatMap(({ metadata, webhooks = [] }) =>
    webhooks.map((webhook, index) => ({
      webhook,
      configuration: metadata.name,
      key: `${metadata.uid}/${metadata.resourceVersion}/${index}`,
    })),
  );
}

function read(store: Store, before: Known, now: Known): Configurations {
  const mutating = registered<MutatingWebhook>(
    readAll<MutatingWebhookConfiguration>(store, MUTATING_WEBHOOK_CONFIGURATIONS, before, now),
  );
  const validating = registered<ValidatingWebhook>(
    readAll<ValidatingWebhookConfiguration>(store, VALIDATING_WEBHOOK_CONFIGURATIONS, before, now),
  );
  const bindings = readAll(store, VALIDATING_ADMISSION_POLICY_BINDINGS, before, now);
  const policies = readAll(store, VALIDATING_ADMISSION_POLICIES, before, now)
    .map((policy) => ({ policy, bindings: bindings.filter((each) => each.spec.policyName === policy.metadata.name) }))
    .filter((each) => each.bindings.length > 0);
  const empty = mutating.length + validating.length + policies.length === 0;
  return empty ? NO_CONFIGURATIONS : { mutating, validating, policies };
}

/** @returns what is committed. Call it outside transactions, so that it never reads what may not be committed. */
export function configurationsOf(store: Store): () => Configurations {
  let held: Configurations | undefined;
  let known: Known = new Map();
  store.onCommit((changes) => {
    if (changes.some((change) => RESOURCES.has(change.resource))) held = undefined;
  });
  return () => {
    if (held === undefined) {
      const now: Known = new Map();
      held = read(store, known, now);
      known = now;
    }
    return held;
  };
}
