/**
 * Images for containers: when to pull (imagePullPolicy), with what credentials (imagePullSecrets), one pull at a time of
 * the same image, and the wait after a failed one. Source: https://kubernetes.io/docs/concepts/containers/images/
 */
import type { Container, Pod } from '../../shared/api/core.ts';
import { type ImageInfo, ImagePullError, type Runtime } from '../runtime/runtime.ts';
import { retryDelayMs } from './back-off.ts';
import type { ContainerRef, PodEvents } from './events.ts';
import { type Credentials, credentialsFor } from './image-credentials.ts';
import type { Clock } from './parts.ts';
import type { References } from './pods.ts';

const FIRST_DELAY_MS = 10_000;
const LAST_DELAY_MS = 300_000;
/** So long the failure itself is shown, before the back-off takes its place. */
const SHOWN_MS = 2_000;

/** Why a container waits for its image, as its status shows it. */
export class ImageProblem extends Error {
  readonly reason: string;
  readonly retryAtMs: number;
  constructor(reason: string, message: string, retryAtMs: number) {
    super(message);
    this.reason = reason;
    this.retryAtMs = retryAtMs;
  }
}

interface BackOff {
  count: number;
  untilMs: number;
  lastMessage: string;
}

export class Images {
  readonly #runtime: Runtime;
  readonly #references: References;
  readonly #clock: Clock;
  /** By image and credentials. */
  readonly #pulls = new Map<string, Promise<void>>();
  /** By pod uid and image, as in Kubernetes: a new pod tries at once. */
  readonly #backOffs = new Map<string, BackOff>();

  constructor(runtime: Runtime, references: References, clock: Clock) {
    this.#runtime = runtime;
    this.#references = references;
    this.#clock = clock;
  }

  /** The image, present on the machine. @throws ImageProblem */
  async ensure(pod: Pod, container: Container, ref: ContainerRef, events: PodEvents): Promise<ImageInfo> {
    const image = container.image ?? '';
    const policy = pullPolicyOf(container);
    const present = policy === 'Always' ? undefined : await this.#runtime.image(image);
    if (present !== undefined) {
      events.normal('Pulled', `Container image "${image}" already present on machine`, ref);
      return present;
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      events.warning('ErrImageNeverPull', message, ref);
      throw new ImageProblem('ErrImageNeverPull', message, this.#clock.now() + FIRST_DELAY_MS);
    }
    return this.#pull(pod, image, ref, events);
  }

  forget(podUid: string): void {
    for (const key of this.#backOffs.keys()) if (key.startsWith(`${podUid} `)) this.#backOffs.delete(key);
  }

  async #pull(pod: Pod, image: string, ref: ContainerRef, events: PodEvents): Promise<ImageInfo> {
    const key = `${pod.metadata.uid} ${image}`;
    const backOff = this.#backOffs.get(key);
    if (backOff !== undefined && backOff.untilMs > this.#clock.now()) {
      const message = `Back-off pulling image "${image}": ${backOff.lastMessage}`;
      events.normal('BackOff', `Back-off pulling image "${image}"`, ref);
      events.warning('Failed', 'Error: ImagePullBackOff', ref);
      throw new ImageProblem('ImagePullBackOff', message, backOff.untilMs);
    }
    events.normal('Pulling', `Pulling image "${image}"`, ref);
    const beganMs = this.#clock.now();
    try {
      await this.#pullWithAny(image, credentialsFor(pod, image, this.#references));
    } catch (error) {
      throw this.#failed(key, image, error as Error, backOff?.count ?? 0, ref, events);
    }
    this.#backOffs.delete(key);
    const info = await this.#runtime.image(image);
    if (info === undefined) throw new Error(`the engine lost image "${image}" right after it was pulled`);
    const seconds = ((this.#clock.now() - beganMs) / 1000).toFixed(3).replace(/\.?0+$/, '');
    const took = `in ${seconds}s (${seconds}s including waiting). Image size: ${info.sizeBytes} bytes.`;
    events.normal('Pulled', `Successfully pulled image "${image}" ${took}`, ref);
    return info;
  }

  #failed(key: string, image: string, error: Error, count: number, ref: ContainerRef, events: PodEvents): ImageProblem {
    const reason = error instanceof ImagePullError ? error.reason : 'ErrImagePull';
    const nowMs = this.#clock.now();
    const untilMs = nowMs + retryDelayMs(count, FIRST_DELAY_MS, LAST_DELAY_MS);
    this.#backOffs.set(key, { count: count + 1, untilMs, lastMessage: `${reason}: ${error.message}` });
    events.warning('Failed', `Failed to pull image "${image}": ${error.message}`, ref);
    events.warning('Failed', `Error: ${reason}`, ref);
    return new ImageProblem(reason, error.message, nowMs + SHOWN_MS);
  }

  /** Kubernetes: each of the pod's credentials for the registry is tried; without any, none. */
  async #pullWithAny(image: string, all: readonly Credentials[]): Promise<void> {
    let failure: unknown;
    for (const credentials of all.length === 0 ? [undefined] : all) {
      try {
        return await this.#pullOnce(image, credentials);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #pullOnce(image: string, credentials: Credentials | undefined): Promise<void> {
    const key = JSON.stringify([image, credentials]);
    const running = this.#pulls.get(key);
    if (running !== undefined) return running;
    const pull = this.#runtime.pull(image, credentials).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }
}

export function pullPolicyOf(container: Container): 'Always' | 'IfNotPresent' | 'Never' {
  if (container.imagePullPolicy !== undefined) return container.imagePullPolicy;
  const image = container.image ?? '';
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.endsWith(':latest') || !/[:@]/.test(name) ? 'Always' : 'IfNotPresent';
}
