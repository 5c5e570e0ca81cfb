/**
 * How a synchronous transaction uses webhooks of both sorts, those that judge and those that convert, which answer later. It
 * runs as far as the first answer that it has not got, throws WebhooksNeeded and leaves nothing; whoever opened it asks
 * (`http/webhook-calls.ts`), writes the answers down here, and runs it again. An answer holds for the very question it was given to: when the object, the caller or the configuration
 * has changed meanwhile, the question is another one and is asked anew. So what was judged is what is stored, without a lock.
 *
 * Run again, a transaction must draw the same uids and names, which is why those are written down as well. Times may differ
 * by the second: they are no part of a question's key.
 */
import type { ValidatingWebhook } from '../../shared/api/admissionregistration.ts';
import type { KubeObject } from '../../shared/api/meta.ts';
import type { RegisteredWebhook } from '../admission/configurations.ts';
import type { AdmissionRequest } from '../admission/request.ts';
import type { Conversion, JsonObject } from '../resources/definition.ts';
import type { RegistryParts } from './parts.ts';

/** admission.k8s.io/v1 AdmissionResponse, checked as far as its form goes. */
export interface AdmissionResponse {
  allowed: boolean;
  status?: { code?: number; status?: string; reason?: string; message?: string; details?: object };
  /** Decoded; undefined when the webhook changes nothing. */
  patch?: unknown;
  warnings?: string[];
  auditAnnotations?: Record<string, string>;
}

/** `error`: it could not be asked, or its answer could not be used; the text that follows `failed calling webhook "x": `. */
export type WebhookAnswer = { response: AdmissionResponse } | { error: string };

export interface WebhookQuestion {
  key: string;
  type: 'mutating' | 'validating';
  registered: RegisteredWebhook<ValidatingWebhook>;
  /** Its uid is given when it is sent. */
  request: AdmissionRequest;
}

/** `object` in another version of its kind. */
export interface ConversionQuestion {
  key: string;
  type: 'conversion';
  conversion: Conversion;
  object: KubeObject;
  version: string;
}

/** `converted`: of the right version and kind, with the metadata that it may not change. `error`: a whole message. */
export type ConversionAnswer = { converted: JsonObject } | { error: string };

export type Question = WebhookQuestion | ConversionQuestion;

export class WebhooksNeeded extends Error {
  readonly questions: readonly Question[];
  constructor(questions: readonly Question[]) {
    super('webhooks must be asked first');
    this.questions = questions;
  }
}

type Draws = Pick<RegistryParts, 'newUid' | 'random'>;

export class WebhookJournal {
  readonly #answers = new Map<string, WebhookAnswer>();
  readonly #conversions = new Map<string, ConversionAnswer>();
  readonly #uids: string[] = [];
  readonly #randoms: number[] = [];
  #uid = 0;
  #random = 0;

  /** The transaction begins again. */
  rewind(): void {
    this.#uid = 0;
    this.#random = 0;
  }

  /** What was drawn the last time, then fresh draws. */
  draws(fresh: Draws): Draws {
    return {
      newUid: () => {
        const uid = this.#uids[this.#uid] ?? fresh.newUid();
        this.#uids[this.#uid++] = uid;
        return uid;
      },
      random: () => {
        const random = this.#randoms[this.#random] ?? fresh.random();
        this.#randoms[this.#random++] = random;
        return random;
      },
    };
  }

  answerTo({ key }: Pick<WebhookQuestion, 'key'>): WebhookAnswer | undefined {
    return this.#answers.get(key);
  }

  write({ key }: Pick<WebhookQuestion, 'key'>, answer: WebhookAnswer): void {
    this.#answers.set(key, answer);
  }

  conversionOf({ key }: Pick<ConversionQuestion, 'key'>): ConversionAnswer | undefined {
    return this.#conversions.get(key);
  }

  writeConversion({ key }: Pick<ConversionQuestion, 'key'>, answer: ConversionAnswer): void {
    this.#conversions.set(key, answer);
  }
}

function timeless(object: JsonObject | null): unknown {
  if (object === null) return null;
  const { creationTimestamp: _, managedFields: __, ...metadata } = (object.metadata ?? {}) as JsonObject;
  return { ...object, metadata };
}

/** What an answer is good for: this webhook as it is configured now, and all that it is shown. */
export function questionOf(
  type: WebhookQuestion['type'],
  registered: RegisteredWebhook<ValidatingWebhook>,
  request: AdmissionRequest,
): WebhookQuestion {
  const { object, oldObject, ...rest } = request;
  const key = JSON.stringify([type, registered.key, rest, timeless(object), timeless(oldObject)]);
  return { key, type, registered, request };
}

/** A conversion is good for all objects that differ only in what the answer may not change. */
export function conversionQuestion(conversion: Conversion, object: KubeObject, version: string): ConversionQuestion {
  const { metadata, ...rest } = object;
  const { name, namespace, uid, labels, annotations } = metadata;
  const key = JSON.stringify([conversion.key, version, name, namespace, uid, labels, annotations, rest]);
  return { key, type: 'conversion', conversion, object, version };
}
