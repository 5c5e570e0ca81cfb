/**
 * Opens transactions for whoever reads or writes objects: one store transaction, with a Session over it, and at the end of
 * the outermost one the work that its changes caused. What a verb does is in the file of its name; how objects look to
 * controllers is `typed-objects.ts`.
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import type { AdmissionReader } from '../admission/plugin.ts';
import { SYSTEM, type UserInfo } from '../env.ts';
import type { Store, Synchronous, Transaction } from '../store/store.ts';
import type { Objects } from './objects.ts';
import type { RegistryParts, Session } from './session.ts';
import { typedObjects } from './typed-objects.ts';

export interface Caller {
  user: UserInfo;
  /** The field manager; see Session. */
  manager?: string;
  /** Everything happens, and nothing of it stays. */
  dryRun?: boolean;
  warn?(text: string): void;
}

export interface Registry {
  readonly store: Store;
  readonly parts: RegistryParts;
  /** @throws StatusError, and nothing of the body stays. Inside another transaction it is a savepoint. */
  transact<T>(caller: Caller, body: (session: Session) => Synchronous<T>): T;
  /**
   * The same as the control plane itself, with typed objects.
   * @param manager the component in whose name fields are written; as upstream calls it.
   */
  asSystem<T>(body: (objects: Objects, transaction: Transaction) => Synchronous<T>, manager?: string): T;
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
  let depth = 0;

  function open<T>(caller: Caller, body: (session: Session) => Synchronous<T>): T {
    depth++;
    try {
      return store.transact((transaction) => {
        const value = body(sessionOf(parts, transaction, caller));
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
      parts.rolledBack?.();
      if (caller.dryRun && error instanceof RolledBack) return error.value as T;
      throw error;
    }
  }

  return {
    store,
    parts,
    transact,
    asSystem: (body, manager = CONTROLLERS) =>
      transact({ user: SYSTEM, manager }, (session) => body(session.objects, session.transaction)),
  };
}

function sessionOf(parts: RegistryParts, transaction: Transaction, caller: Caller): Session {
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
    manager: caller.manager ?? '',
    dryRun: caller.dryRun === true,
    warn: (text) => caller.warn?.(text),
    reader,
    get objects() {
      objects ??= typedObjects(session);
      return objects;
    },
  };
  return session;
}
