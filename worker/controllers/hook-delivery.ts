/**
 * What one signed POST does: proves itself, is looked up in the inbox, changes an image, and leaves an Event and a status
 * behind; all but the proof in one transaction, so that a delivery is acted on exactly once. Reading the request is
 * `worker/edge/hooks.ts`.
 *
 * The proof is asynchronous (WebCrypto), so it comes before the transaction, which then checks that the hook and the key
 * are still those it was made with.
 */
import { DEPLOYMENTS, type Deployment } from '../../shared/api/apps.ts';
import { SECRETS } from '../../shared/api/core.ts';
import { HOOKS, type Hook } from '../../shared/api/longshore.ts';
import { StatusError } from '../../shared/errors.ts';
import { formatTime } from '../../shared/time.ts';
import type { Objects } from '../registry/objects.ts';
import type { HookDelivery } from '../rpc.ts';
import type { Synchronous } from '../store/store.ts';
import type { HookInbox } from './hook-inbox.ts';
import { parseSignature, readPayload, SIGNATURE_HEADERS } from './hook-payload.ts';
import { containersOf } from './hooks.ts';

export interface DeliveryParts {
  transact<T>(body: (objects: Objects) => Synchronous<T>): T;
  inbox: HookInbox;
}

export interface DeliveryAnswer {
  code: number;
  message: string;
}

const COMPONENT = 'hook-controller';
const ATTEMPTS = 5;

/** The same for every path that names nothing, whatever part of it does not exist. */
export const NO_HOOK: DeliveryAnswer = { code: 404, message: 'not found' };
export const BAD_SIGNATURE: DeliveryAnswer = { code: 401, message: 'the signature does not match' };

interface Proof {
  hook: Hook;
  /** Revisions of hook and Secret: the proof holds as long as these do. */
  revisions: string;
  key: Uint8Array<ArrayBuffer> | undefined;
}

export async function deliver(parts: DeliveryParts, delivery: HookDelivery): Promise<DeliveryAnswer> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const proof = parts.transact((objects) => readProof(objects, delivery) ?? null);
    if (proof === null) return NO_HOOK;
    if (!(await isGenuine(proof, delivery))) return BAD_SIGNATURE;
    const answer = parts.transact((objects) => {
      const now = readProof(objects, delivery);
      return now?.revisions === proof.revisions ? act(parts, objects, now.hook, delivery) : null;
    });
    if (answer !== null) return answer;
  }
  return { code: 503, message: 'the hook changes all the time; send this delivery again' };
}

function readProof(objects: Objects, { namespace, name }: HookDelivery): Proof | undefined {
  const hook = objects.get(HOOKS, namespace, name);
  if (hook === undefined || hook.metadata.deletionTimestamp !== undefined) return undefined;
  const secret = objects.get(SECRETS, namespace, hook.spec.secretRef.name);
  const encoded = secret?.data?.[hook.spec.secretRef.key ?? 'secret'] ?? '';
  return {
    hook,
    // Deliveries write the hook's status: its generation stands for its spec.
    revisions: `${hook.metadata.uid}/${hook.metadata.generation ?? 0}/${secret?.metadata.resourceVersion ?? ''}`,
    key: encoded === '' ? undefined : Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)),
  };
}

/** WebCrypto compares in constant time. Without a key nothing is genuine. */
async function isGenuine({ hook, key }: Proof, delivery: HookDelivery): Promise<boolean> {
  const signature = parseSignature(delivery.headers[SIGNATURE_HEADERS[hook.spec.signature ?? 'github']]);
  if (signature === undefined || key === undefined) return false;
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  return crypto.subtle.verify('HMAC', imported, signature, new Uint8Array(delivery.body));
}

function act(parts: DeliveryParts, objects: Objects, hook: Hook, delivery: HookDelivery): DeliveryAnswer {
  if (delivery.headers['x-github-event'] === 'ping') return { code: 200, message: 'pong' };
  if (hook.spec.suspend === true) return { code: 409, message: 'the hook is suspended' };
  const known = parts.inbox.find(hook.metadata.uid, delivery.deliveryId);
  // One that was refused may be sent again when what was missing is there.
  if (known !== undefined && known.code < 300) return { code: 200, message: `duplicate: ${known.message}` };
  const outcome = deploy(parts, objects, hook, delivery);
  parts.inbox.add(hook.metadata.uid, delivery.deliveryId, objects.nowMs, outcome);
  writeStatus(objects, hook, delivery, outcome);
  recordEvents(objects, hook, delivery, outcome);
  return { code: outcome.code, message: outcome.message };
}

interface Outcome extends DeliveryAnswer {
  result: 'Deployed' | 'Unchanged' | 'Refused';
  image?: string;
}

function deploy(parts: DeliveryParts, objects: Objects, hook: Hook, delivery: HookDelivery): Outcome {
  const { target, imagePointer = '/image' } = hook.spec;
  const payload = readPayload(delivery.body, delivery.headers['content-type'] ?? '', imagePointer);
  if ('problem' in payload) return refused(payload.problem);
  const { image } = payload;
  const deployment = objects.get(DEPLOYMENTS, hook.metadata.namespace ?? '', target.deployment);
  if (deployment === undefined) return refused(`Deployment "${target.deployment}" does not exist`, image);
  if (!containersOf(deployment).includes(target.container)) {
    return refused(`Deployment "${target.deployment}" has no container "${target.container}"`, image);
  }
  const where = `container ${target.container} of deployment/${target.deployment}`;
  if (!setImage(deployment, target.container, image)) {
    return { code: 200, result: 'Unchanged', image, message: `${where} has image ${image} already` };
  }
  deployment.metadata.annotations = {
    ...deployment.metadata.annotations,
    'kubernetes.io/change-cause': `hook ${hook.metadata.name}, delivery ${delivery.deliveryId}: ${image}`,
  };
  try {
    // A savepoint: what admission refuses leaves nothing behind but the record of it.
    parts.transact((inner) => {
      inner.update(DEPLOYMENTS, deployment);
    });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return refused(error.message, image);
  }
  return { code: 200, result: 'Deployed', image, message: `${where} is set to image ${image}` };
}

const refused = (message: string, image?: string): Outcome => ({
  code: 422,
  result: 'Refused',
  message,
  ...(image === undefined ? {} : { image }),
});

/** Whether this changed anything. */
function setImage(deployment: Deployment, name: string, image: string): boolean {
  const { containers, initContainers = [] } = deployment.spec.template.spec;
  const wrong = [...containers, ...initContainers].filter((each) => each.name === name && each.image !== image);
  for (const container of wrong) container.image = image;
  return wrong.length > 0;
}

function writeStatus(objects: Objects, hook: Hook, delivery: HookDelivery, outcome: Outcome): void {
  const { result, message, image } = outcome;
  objects.updateStatus(HOOKS, {
    ...hook,
    status: {
      ...hook.status,
      lastDelivery: {
        id: delivery.deliveryId,
        time: formatTime(objects.nowMs),
        ...(image === undefined ? {} : { image }),
        result,
        message,
      },
    },
  });
}

function recordEvents(objects: Objects, hook: Hook, { deliveryId }: HookDelivery, outcome: Outcome): void {
  const event = {
    type: outcome.result === 'Refused' ? ('Warning' as const) : ('Normal' as const),
    reason: `Hook${outcome.result}`,
    message: `Delivery ${deliveryId} of hook ${hook.metadata.name}: ${outcome.message}`,
    component: COMPONENT,
  };
  objects.record(hook, event);
  const deployment = objects.get(DEPLOYMENTS, hook.metadata.namespace ?? '', hook.spec.target.deployment);
  if (deployment !== undefined) objects.record(deployment, event);
}
