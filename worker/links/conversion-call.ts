/**
 * Asks conversion webhooks: ConversionReview out, objects of another version in, with the checks and the words of upstream.
 * All objects that are needed at once, from one version in one other, go in one review. What becomes of the answer is
 * `registry/conversion.ts`.
 * Source: apiextensions-apiserver, pkg/apiserver/conversion/webhook_converter.go
 */
import type { KubeObject } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import { failedFor, versionIn, versionOf, withOwnMetadata } from '../registry/conversion.ts';
import { isMap } from '../registry/json.ts';
import { serialise } from '../registry/metadata.ts';
import type { ConversionAnswer, ConversionQuestion, WebhookJournal } from '../registry/webhook-journal.ts';
import type { Conversion, JsonObject, ResourceDefinition } from '../resources/definition.ts';
import { validateAnnotations, validateLabels } from '../resources/metadata-validation.ts';
import { callWebhook, MAX_CONVERSION_BYTES, type WebhookClient } from './webhook-call.ts';

const GROUP = 'apiextensions.k8s.io';
const VERSIONS = ['v1', 'v1beta1'];
/** Kubernetes: not to be configured. */
const TIMEOUT_SECONDS = 30;

/** What follows `conversion webhook for G/V, Kind=K`. */
class UnusableAnswer extends Error {}

export async function answerConversions(
  client: WebhookClient,
  questions: readonly ConversionQuestion[],
  journal: WebhookJournal,
): Promise<void> {
  const reviews = Map.groupBy(questions, ({ conversion, object, version }) =>
    [conversion.key, versionOf(object), version].join(),
  );
  await Promise.all(
    [...reviews.values()].map(async (asked) => {
      const [first] = asked;
      if (first === undefined) return;
      const objects = asked.map((each) => each.object);
      const answers = await convert(client, first.conversion, objects, first.version);
      for (const [index, question] of asked.entries()) {
        const answer = answers[index];
        if (answer !== undefined) journal.writeConversion(question, answer);
      }
    }),
  );
}

/**
 * Stored texts as the definition's version shows them, in the same order; those that are in it already are not sent.
 * @throws StatusError 500 when one of them cannot be converted.
 */
export async function shownTexts(
  client: WebhookClient,
  definition: ResourceDefinition,
  texts: readonly string[],
): Promise<string[]> {
  const { conversion, identity } = definition;
  if (conversion === undefined) return [...texts];
  const own = versionIn(conversion, identity.version);
  const objects = texts.map((text) => JSON.parse(text) as KubeObject);
  const strangers = Map.groupBy(
    objects.filter((object) => versionOf(object) !== identity.version),
    versionOf,
  );
  const converted = new Map<KubeObject, KubeObject>();
  for (const asked of strangers.values()) {
    const answers = await convert(client, conversion, asked, identity.version);
    for (const [index, object] of asked.entries()) {
      const answer = answers[index];
      if (answer === undefined || 'error' in answer) throw new StatusError(500, '', answer?.error ?? failedFor(object));
      converted.set(object, withOwnMetadata(conversion, object, answer.converted, identity.version));
    }
  }
  return objects.map((object, index) => {
    const shown = converted.get(object) ?? (own.changed ? (own.read(object) as unknown as KubeObject) : undefined);
    return shown === undefined ? (texts[index] ?? '') : serialise(shown, object.metadata.resourceVersion);
  });
}

/** One review of objects of one version; an answer to each. */
async function convert(
  client: WebhookClient,
  conversion: Conversion,
  objects: readonly KubeObject[],
  version: string,
): Promise<ConversionAnswer[]> {
  const [first] = objects;
  if (first === undefined) return [];
  try {
    const converted = await review(client, conversion, objects, version);
    return converted.map((each, index) => judged(each, objects[index] as KubeObject, index, version));
  } catch (error) {
    if (!(error instanceof UnusableAnswer)) throw error;
    const message = `${failedFor(first)} ${error.message}`;
    return objects.map(() => ({ error: message }));
  }
}

const apiVersionIn = ({ apiVersion }: KubeObject, version: string): string =>
  `${apiVersion.slice(0, apiVersion.indexOf('/'))}/${version}`;

/** @throws UnusableAnswer */
async function review(
  client: WebhookClient,
  { clientConfig, reviewVersions }: Conversion,
  objects: readonly KubeObject[],
  version: string,
): Promise<unknown[]> {
  const spoken = reviewVersions.find((each) => VERSIONS.includes(each)) ?? 'v1';
  const apiVersion = `${GROUP}/${spoken}`;
  const uid = client.newUid();
  const desiredAPIVersion = apiVersionIn(objects[0] as KubeObject, version);
  const body = JSON.stringify({ kind: 'ConversionReview', apiVersion, request: { uid, desiredAPIVersion, objects } });
  const answer = await callWebhook(client, clientConfig, body, TIMEOUT_SECONDS, MAX_CONVERSION_BYTES);
  if ('error' in answer) throw new UnusableAnswer(`failed: ${answer.error}`);
  const converted = parseReview(answer.text, apiVersion, uid);
  if (converted.length !== objects.length) {
    throw new UnusableAnswer(`returned ${converted.length} objects, expected ${objects.length}`);
  }
  return converted;
}

function parseReview(text: string, apiVersion: string, uid: string): unknown[] {
  const failed = (why: string): never => {
    throw new UnusableAnswer(`failed: ${why}`);
  };
  const answer = parseJson(text);
  if (!isMap(answer)) return failed('no response provided');
  const strict = apiVersion === `${GROUP}/v1`;
  if (strict && (answer.apiVersion !== apiVersion || answer.kind !== 'ConversionReview')) {
    const got = `${String(answer.apiVersion ?? '')}, Kind=${String(answer.kind ?? '')}`;
    return failed(`expected webhook response of ${apiVersion}, Kind=ConversionReview, got ${got}`);
  }
  const { response } = answer;
  if (!isMap(response)) return failed('no response provided');
  if (strict && response.uid !== uid) {
    return failed(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  }
  const { status = '', message } = isMap(response.result) ? response.result : {};
  if (status !== 'Success') {
    return failed(
      typeof message === 'string' && message !== ''
        ? message
        : `response.result.status was '${String(status)}', not 'Success'`,
    );
  }
  return Array.isArray(response.convertedObjects) ? response.convertedObjects : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UnusableAnswer(`failed: couldn't get version/kind; json parse error: ${error.message.slice(0, 200)}`);
  }
}

/** Whether what came back is the object that was sent, in the version that was asked for. */
function judged(converted: unknown, original: KubeObject, index: number, version: string): ConversionAnswer {
  const refused = (what: string): ConversionAnswer => ({ error: `${failedFor(original)} returned invalid ${what}` });
  const at = `object at index ${index}`;
  if (!isMap(converted)) return refused(`${at}: it is no object`);
  const [expected, received] = [apiVersionIn(original, version), String(converted.apiVersion ?? '')];
  if (received !== expected) {
    return refused(`${at}: invalid groupVersion (expected ${expected}, received ${received})`);
  }
  if (converted.kind !== original.kind) {
    return refused(`${at}: invalid kind (expected ${original.kind}, received ${String(converted.kind ?? '')})`);
  }
  const { metadata } = converted;
  for (const [field, word] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [before, after] = [original.metadata[field] ?? '', isMap(metadata) ? (metadata[field] ?? '') : ''];
    if (before !== after) return refused(`object: must have the same ${word}: ${before} != ${String(after)}`);
  }
  if (!isMap(metadata)) return refused('metadata: missing metadata in converted object');
  const problem = problemOf(metadata, 'labels') ?? problemOf(metadata, 'annotations');
  return problem === undefined ? { converted } : refused(`metadata: ${problem}`);
}

const RULES = { labels: validateLabels, annotations: validateAnnotations };

function problemOf(metadata: JsonObject, field: keyof typeof RULES): string | undefined {
  const given = metadata[field] ?? undefined;
  if (given === undefined) return undefined;
  if (!isMap(given)) return `invalid metadata.${field} in converted object`;
  const odd = Object.entries(given).find(([, value]) => typeof value !== 'string');
  if (odd !== undefined) return `metadata.${field}[${odd[0]}] must be a string in converted object`;
  const [cause] = RULES[field](given as Record<string, string>, `metadata.${field}`);
  return cause === undefined ? undefined : `${cause.field}: ${cause.message}`;
}
