/**
 * POST pods/NAME/eviction: a deletion that the pod's disruption budget has to grant. The budget's status is counted down in
 * the same transaction, so two evictions never share one grant. How the status comes about is `controllers/disruption.ts`.
 * What is judged is the Eviction; what the API then writes and deletes is its own doing, and nobody is asked about that.
 * Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go
 */
import { PODS, type Pod } from '../../shared/api/core.ts';
import type { DeleteOptions, KubeObject } from '../../shared/api/meta.ts';
import { type Eviction, POD_DISRUPTION_BUDGETS, type PodDisruptionBudget } from '../../shared/api/policy.ts';
import { forbidden, internalError, notFound, StatusError } from '../../shared/errors.ts';
import { isReady, isTerminal, isTerminating } from '../../shared/pods.ts';
import { matchesLabelSelector, requirementsOf } from '../../shared/selectors.ts';
import { formatTime } from '../../shared/time.ts';
import { NO_CONFIGURATIONS } from '../admission/configurations.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { SYSTEM } from '../users.ts';
import { admit, admitValid } from './admit.ts';
import { deleteObject, validateDeleteOptions } from './delete.ts';
import { copyJson } from './json.ts';
import type { Session } from './session.ts';
import { typedObjects } from './typed-objects.ts';
import type { Write } from './write.ts';

const MAX_DISRUPTED_PODS = 2000;
const RETRY_AFTER_SECONDS = 10;
const REFUSED = "Cannot evict pod as it would violate the pod's disruption budget.";
const BUDGETS = { group: 'policy', resource: 'poddisruptionbudget' };

/**
 * @throws StatusError 429 where the budget does not allow it now, 404 for no such pod, 409 for preconditions, and what
 *   whoever judges it may say.
 */
export function evict(asking: Session, namespace: string, name: string, given: Eviction): void {
  const definition = asking.parts.catalog().findGroupResource('pods');
  if (definition === undefined) throw new Error('pods are not served');
  const options = admitted(asking, definition, namespace, name, given).deleteOptions ?? {};
  validateDeleteOptions(options);
  if (options.dryRun?.length && !asking.dryRun) {
    throw internalError('webhooks that make an eviction a dry run are not supported by Longshore');
  }
  const session = itself(asking);
  const { objects } = session;
  const pod = objects.get(PODS, namespace, name);
  if (pod === undefined) throw notFound(PODS, name);
  // Kubernetes: what has ended, has not started or is going already disturbs nobody by going.
  const isFree = isTerminal(pod) || isTerminating(pod) || pod.status?.phase === 'Pending';
  if (!isFree) requireGrant(session, pod);
  if (!isTerminal(pod) && !isTerminating(pod)) mark(session, pod);
  deleteObject(
    session,
    definition,
    namespace,
    name,
    withoutOwnRevision(options, pod, objects.get(PODS, namespace, name)),
  );
}

/** The Eviction as webhooks leave it. */
function admitted(
  session: Session,
  definition: ResourceDefinition,
  namespace: string,
  name: string,
  given: Eviction,
): Eviction {
  const metadata = { ...given.metadata, name, namespace };
  const draft = { ...copyJson(given), apiVersion: 'policy/v1', kind: 'Eviction', metadata } as Eviction & KubeObject;
  const asked: Write = { operation: 'CREATE', definition, part: 'eviction', namespace, name, draft };
  admit(session, asked);
  admitValid(session, asked);
  return draft;
}

/** The same transaction as the API's own. */
function itself(session: Session): Session {
  const own: Session = { ...session, user: SYSTEM, shownUser: SYSTEM, configurations: NO_CONFIGURATIONS };
  return { ...own, objects: typedObjects(own) };
}

/** A precondition on the revision is about the pod as it was before it was marked. */
function withoutOwnRevision(options: DeleteOptions, before: Pod, after: Pod | undefined): DeleteOptions {
  const { resourceVersion } = options.preconditions ?? {};
  if (resourceVersion === undefined || resourceVersion !== before.metadata.resourceVersion) return options;
  return {
    ...options,
    preconditions: { ...options.preconditions, resourceVersion: after?.metadata.resourceVersion ?? '' },
  };
}

/** By this condition a job's failure policy tells an eviction from a failure. */
function mark(session: Session, pod: Pod): void {
  const conditions = (pod.status?.conditions ?? []).filter((each) => each.type !== 'DisruptionTarget');
  session.objects.updateStatus(PODS, {
    ...pod,
    status: {
      ...pod.status,
      conditions: [
        ...conditions,
        {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'EvictionByEvictionAPI',
          message: 'Eviction API: evicting',
          lastTransitionTime: formatTime(session.transaction.nowMs),
        },
      ],
    },
  });
}

function requireGrant(session: Session, pod: Pod): void {
  const budgets = session.objects
    .list(POD_DISRUPTION_BUDGETS, { namespace: pod.metadata.namespace })
    .filter(({ spec }) => selects(spec.selector, pod));
  const [budget] = budgets;
  if (budget === undefined) return;
  if (budgets.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new StatusError(500, '', message);
  }
  if (!isReady(pod)) {
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
    if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return;
    if (currentHealthy >= desiredHealthy && desiredHealthy > 0) return;
  }
  countDown(session, budget, pod.metadata.name);
}

/** Kubernetes: an empty selector here selects nothing, so that no eviction hangs on it. */
const selects = (selector: PodDisruptionBudget['spec']['selector'], pod: Pod): boolean =>
  selector !== undefined &&
  requirementsOf(selector).length > 0 &&
  matchesLabelSelector(selector, pod.metadata.labels ?? {});

function refuse(cause: string, retryAfterSeconds: number): never {
  throw new StatusError(429, 'TooManyRequests', REFUSED, {
    causes: [{ reason: 'DisruptionBudget', message: cause }],
    ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
  });
}

function countDown(session: Session, budget: PodDisruptionBudget, podName: string): void {
  const { name, generation = 0 } = budget.metadata;
  const status = budget.status ?? { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  if ((status.observedGeneration ?? 0) < generation) {
    refuse(`The disruption budget ${name} is still being processed by the server.`, RETRY_AFTER_SECONDS);
  }
  if (status.disruptionsAllowed < 0) throw forbidden(BUDGETS, name, 'pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS) {
    const why = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    throw forbidden(BUDGETS, name, why);
  }
  if (status.disruptionsAllowed === 0) {
    const { desiredHealthy, currentHealthy } = status;
    refuse(`The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`, 0);
  }
  const disruptedPods = { ...status.disruptedPods, [podName]: formatTime(session.transaction.nowMs) };
  const disruptionsAllowed = status.disruptionsAllowed - 1;
  session.objects.updateStatus(POD_DISRUPTION_BUDGETS, {
    ...budget,
    status: { ...status, disruptionsAllowed, disruptedPods },
  });
}
