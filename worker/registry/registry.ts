/**
 * Opens transactions for whoever reads or writes objects: one store transaction, with a Session over it, and at the end of
 * the outermost one the work that its changes caused. What a verb does is in the file of its name; how objects look to
 * controllers is `typed-objects.ts`.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import { type Configurations, configurationsOf, NO_CONFIGURATIONS } from '../admission/configurations.ts';
import type { AdmissionReader } from '../admission/plugin.ts';
import type { Store, Synchronous, Transaction } from '../store/store.ts';
import { SYSTEM, type UserInfo } from '../users.ts';
import type { Objects } from './objects.ts';
import type { RegistryParts } from './parts.ts';
import { RecentObjects } from './recent-objects.ts';
import type { Session } from './session.ts';
import { typedObjects } from './typed-objects.ts';
import type { WebhookJournal } from './webhook-journal.ts';

export interface Caller {
  user: UserInfo;
  /** The field manager; see Session. */
  manager?: string;
  /** Everything happens, and nothing of it stays. */
  dryRun?: boolean;
  warn?(text: string): void;
  /** For the request's audit event. */
  annotate?(key: string, value: string): void;
  /** In whose name webhooks and policies see it, where that is another's than the one it is allowed as. */
  shownUser?: UserInfo | undefined;
  /** Whoever gives one can wait for webhooks: it catches WebhooksNeeded. Without one, none are asked. */
  journal?: WebhookJournal | undefined;
}

export interface Registry {
  readonly store: Store;
  readonly parts: RegistryParts;
  /** Whether any write could meet a webhook: only then may a transaction have to be run twice. */
  readonly hasWebhooks: boolean;
  /** @throws StatusError, and nothing of the body stays. Inside another transaction it is a savepoint. */
  transact<T>(caller: Caller, body: (session: Session) => Synchronous<T>): T;
  /**
   * The same as the control plane itself, with typed objects.
   * @param manager the component in whose name fields are written; as upstream calls it.
   */
  asSystem<T>(
    body: (objects: Objects, transaction: Transaction) => Synchronous<T>,
    manager?: string,
    more?: Pick<Caller, 'journal' | 'shownUser'>,
  ): T;
}

/** Kubernetes: the name under which its controllers write. */
const CONTROLLERS = 'kube-controller-manager';

/** Carries a dry run's result out of the transaction that it rolls back. */
class RolledBack extends Error {
  readonly value: unknown;
  constructor(value: unknown) {
    super('dry run');
    this.value = value;
  }
}

/** @param drain does the work that a transaction caused, still inside it, so that what is done at once costs no row. */
export function createRegistry(parts: RegistryParts, drain: () => void = () => {}): Registry {
  const { store } = parts;
  const committed = configurationsOf(store);
  let configurations = NO_CONFIGURATIONS;
  let depth = 0;
  const recent = new RecentObjects();

  function open<T>(caller: Caller, body: (session: Session) => Synchronous<T>): T {
    // Before the transaction opens: what it writes of them holds for whoever comes after it.
    if (depth === 0) configurations = committed();
    depth++;
    caller.journal?.rewind();
    try {
      return store.transact((transaction) => {
        const value = body(sessionOf(parts, transaction, caller, configurations, recent));
        if (caller.dryRun) throw new RolledBack(value);
        if (depth === 1) drain();
        return value;
      });
    } finally {
      depth--;
    }
  }

  function transact<T>(caller: Caller, body: (session: Session) => Synchronous<T>): T {
    try {
      return open(caller, body);
    } catch (error) {
      recent.clear();
      parts.rolledBack?.();
      if (caller.dryRun && error instanceof RolledBack) return error.value as T;
      throw error;
    }
  }

  return {
    store,
    parts,
    get hasWebhooks() {
      const { mutating, validating } = depth === 0 ? committed() : configurations;
      return mutating.length + validating.length > 0;
    },
    transact,
    asSystem: (body, manager = CONTROLLERS, more = {}) =>
      transact({ user: SYSTEM, manager, ...more }, (session) => body(session.objects, session.transaction)),
  };
}

/** A transaction that was begun before, as if it were still that time. */
const atTime = (transaction: Transaction, nowMs: number): Transaction =>
  nowMs === transaction.nowMs ? transaction : Object.create(transaction, { nowMs: { value: nowMs } });

function sessionOf(
  given: RegistryParts,
  opened: Transaction,
  caller: Caller,
  configurations: Configurations,
  recent: RecentObjects,
): Session {
  const { journal } = caller;
  const transaction = journal === undefined ? opened : atTime(opened, journal.began(opened.nowMs));
  const parts = journal === undefined ? given : { ...given, ...journal.draws(given) };
  const reader: AdmissionReader = {
    get(resource, namespace, name) {
      const stored = transaction.get({ resource, namespace, name });
      return stored === undefined ? undefined : (JSON.parse(stored.text) as KubeObject);
    },
    list: (resource, query = {}) =>
      Array.from(transaction.list({ resource, ...query }).items, (stored) => JSON.parse(stored.text) as KubeObject),
  };
  let objects: Objects | undefined;
  const session: Session = {
    parts,
    transaction,
    user: caller.user,
    shownUser: caller.shownUser ?? caller.user,
    manager: caller.manager ?? '',
    dryRun: caller.dryRun === true,
    warn: (text) => caller.warn?.(text),
    annotate: (key, value) => caller.annotate?.(key, value),
    configurations,
    journal,
    reader,
    recent,
    get objects() {
      objects ??= typedObjects(session);
      return objects;
    },
  };
  return session;
}
