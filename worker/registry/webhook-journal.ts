/**
 * How a synchronous transaction uses webhooks of both sorts, those that judge and those that convert, which answer later. It
 * runs as far as the first answer that it has not got, throws WebhooksNeeded and leaves nothing; whoever opened it asks
 * (`http/webhook-calls.ts`), writes the answers down here, and runs it again. An answer holds for the very question it was
 * given to: when the object, the caller or the configuration has changed meanwhile, the question is another one and is asked
 * anew. So what was judged is what is stored, without a lock.
 *
 * Run again, a transaction must draw the same uids and names, and it must be the same time, which is why those are written
 * down as well: a webhook that takes a second would otherwise be asked for ever.
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

/** Writes the answers into the journal. */
export type AskWebhooks = (questions: readonly Question[], journal: WebhookJournal) => Promise<void>;

type Draws = Pick<RegistryParts, 'newUid' | 'random'>;

/** What was drawn for one purpose, in order, and how many of these the present run has had. */
interface Stream {
  uids: string[];
  randoms: number[];
  uid: number;
  random: number;
}

export class WebhookJournal {
  readonly #answers = new Map<string, WebhookAnswer>();
  readonly #conversions = new Map<string, ConversionAnswer>();
  readonly #streams = new Map<string, Stream>();
  /** How often the present run has drawn for a purpose. */
  readonly #times = new Map<string, number>();
  #purpose = '';
  #beganMs: number | undefined;
  #runs = 0;
  readonly #postpones: boolean;
  #postponed: Question[] = [];

  /**
   * @param postpones the run goes on behind a question, as if the answer were yes, so that what it will ask next can be
   *   asked with it; all of it is undone. For runs that write many objects alike: a hundred pods are a few rounds, not a
   *   hundred.
   */
  constructor({ postpones = false } = {}) {
    this.#postpones = postpones;
  }

  /** The transaction begins again. */
  rewind(): void {
    this.#runs += 1;
    for (const stream of this.#streams.values()) Object.assign(stream, { uid: 0, random: 0 });
    this.#times.clear();
    this.#postponed = [];
  }

  /** The time of the first run, which is that of all. */
  began(nowMs: number): number {
    this.#beganMs ??= nowMs;
    return this.#beganMs;
  }

  /** What was drawn the last time, then fresh draws. */
  draws(fresh: Draws): Draws {
    return {
      newUid: () => {
        const stream = this.#stream();
        const uid = stream.uids[stream.uid] ?? fresh.newUid();
        stream.uids[stream.uid++] = uid;
        return uid;
      },
      random: () => {
        const stream = this.#stream();
        const random = stream.randoms[stream.random] ?? fresh.random();
        stream.randoms[stream.random++] = random;
        return random;
      },
    };
  }

  /**
   * What the body draws is drawn for this purpose, and for how many times it has come up in this run: it stays the same when
   * the next run does more, or less, before it.
   */
  drawingFor<T>(purpose: string, body: () => T): T {
    const before = this.#purpose;
    const times = (this.#times.get(purpose) ?? 0) + 1;
    this.#times.set(purpose, times);
    this.#purpose = `${times} ${purpose}`;
    try {
      return body();
    } finally {
      this.#purpose = before;
    }
  }

  /** @returns whether the run may go on behind these: then `requireAnswers` ends it. */
  postpone(questions: readonly Question[]): boolean {
    if (!this.#postpones) return false;
    const [first] = this.#postponed;
    // Of another sort than what it waits for, a question may be about what there will never be. And, as upstream's controllers
    // start, one first, then ever more: what is refused once is refused a hundred times.
    const room = this.#postponed.length < 2 ** (this.#runs - 1);
    if (first === undefined) this.#postponed.push(...questions);
    else if (room) this.#postponed.push(...questions.filter((each) => sortOf(each) === sortOf(first)));
    return true;
  }

  /** @throws WebhooksNeeded when the run went on behind a question. */
  requireAnswers(): void {
    if (this.#postponed.length > 0) throw new WebhooksNeeded(this.#postponed);
  }

  #stream(): Stream {
    let stream = this.#streams.get(this.#purpose);
    if (stream === undefined) {
      stream = { uids: [], randoms: [], uid: 0, random: 0 };
      this.#streams.set(this.#purpose, stream);
    }
    return stream;
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

function sortOf(question: Question): string {
  if (question.type === 'conversion') return question.type;
  const { operation, resource, subResource = '' } = question.request;
  return [question.type, operation, resource.group, resource.resource, subResource].join(' ');
}

/** What an answer is good for: this webhook as it is configured now, and all that it is shown. */
export function questionOf(
  type: WebhookQuestion['type'],
  registered: RegisteredWebhook<ValidatingWebhook>,
  request: AdmissionRequest,
): WebhookQuestion {
  return { key: JSON.stringify([type, registered.key, request]), type, registered, request };
}

/** A conversion is good for all objects that differ only in what the answer may not change. */
export function conversionQuestion(conversion: Conversion, object: KubeObject, version: string): ConversionQuestion {
  const { metadata, ...rest } = object;
  const { name, namespace, uid, labels, annotations } = metadata;
  const key = JSON.stringify([conversion.key, version, name, namespace, uid, labels, annotations, rest]);
  return { key, type: 'conversion', conversion, object, version };
}
