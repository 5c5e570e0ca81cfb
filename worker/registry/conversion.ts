/**
 * Versions of a custom resource between which a webhook converts. Asking is not done here: a transaction throws
 * WebhooksNeeded and runs again with the answer (`webhook-journal.ts`), reads ask at once (`links/conversion-call.ts`).
 * Of what comes back, only spec, status and the like are the webhook's to say, and labels and annotations: the rest of the
 * metadata is put back as it was.
 * Source: apiextensions-apiserver, pkg/apiserver/conversion/webhook_converter.go
 */
import { apiVersionOf, type KubeObject } from '../../shared/api/meta.ts';
import { StatusError } from '../../shared/errors.ts';
import type { Conversion, ConvertedVersion, JsonObject, ResourceDefinition } from '../resources/definition.ts';
import type { Session } from './session.ts';
import { conversionQuestion, WebhooksNeeded } from './webhook-journal.ts';

export const versionOf = ({ apiVersion }: Pick<KubeObject, 'apiVersion'>): string =>
  apiVersion.slice(apiVersion.indexOf('/') + 1);

/** @throws Error: a version of which objects may be stored cannot leave a definition. */
export function versionIn(conversion: Conversion, version: string): ConvertedVersion {
  const found = conversion.versions.get(version);
  if (found === undefined) throw new Error(`objects are stored in version ${version}, which the definition has not`);
  return found;
}

/** What a converted object was made of: it can be had back without asking. Only of objects that nobody changes. */
const origins = new WeakMap<KubeObject, KubeObject>();

/** What is stored, in another version. @throws StatusError, WebhooksNeeded */
export function storedInVersion(
  session: Session,
  conversion: Conversion,
  stored: KubeObject,
  version: string,
): KubeObject {
  const object = inVersion(session, conversion, stored, version);
  if (object !== stored) origins.set(object, stored);
  return object;
}

/** @throws StatusError 500 in upstream's words when it cannot be converted, WebhooksNeeded. */
export function inVersion(session: Session, conversion: Conversion, object: KubeObject, version: string): KubeObject {
  const { changed, read } = versionIn(conversion, version);
  const origin = origins.get(object);
  if (origin !== undefined && versionOf(origin) === version) return read(origin) as unknown as KubeObject;
  if (versionOf(object) === version) return changed ? (read(object) as unknown as KubeObject) : object;
  const question = conversionQuestion(conversion, object, version);
  const answer = session.journal?.conversionOf(question);
  if (answer === undefined) {
    if (session.journal !== undefined) throw new WebhooksNeeded([question]);
    throw new StatusError(500, '', `${failedFor(object)} failed: this part of the control plane cannot wait for it`);
  }
  if ('error' in answer) throw new StatusError(500, '', answer.error);
  return withOwnMetadata(conversion, object, answer.converted, version);
}

/** How upstream begins to say that something is wrong with a conversion. */
export const failedFor = ({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): string =>
  `conversion webhook for ${apiVersion}, Kind=${kind}`;

/** What a webhook answered, as an object of that version. */
export function withOwnMetadata(
  conversion: Conversion,
  original: KubeObject,
  converted: JsonObject,
  version: string,
): KubeObject {
  const { labels, annotations } = converted.metadata as Partial<KubeObject['metadata']>;
  const { labels: _, annotations: __, ...metadata } = original.metadata;
  const own = Object.fromEntries(
    Object.entries({ ...metadata, labels, annotations }).filter(([, value]) => value !== undefined && value !== null),
  );
  return versionIn(conversion, version).read({ ...converted, metadata: own }) as unknown as KubeObject;
}

/** The object as it is written, and the definition of the version that this is in. */
export function asWritten(
  session: Session,
  definition: ResourceDefinition,
  object: KubeObject,
): { definition: ResourceDefinition; object: KubeObject } {
  const { conversion } = definition;
  if (conversion === undefined) return { definition, object };
  const { storage } = conversion;
  const stored = versionOf(object) === storage ? object : inVersion(session, conversion, object, storage);
  return { definition: versionIn(conversion, storage).definition, object: stored };
}

/** What controllers write of an object stays in the version that it is stored in: they know only its metadata. */
export function asStored(definition: ResourceDefinition, apiVersion: string): ResourceDefinition {
  const { conversion } = definition;
  return conversion === undefined ? definition : versionIn(conversion, versionOf({ apiVersion })).definition;
}

/** Without parsing: kind and apiVersion come first in what is stored, and no kind can hold a quote. */
export function isStoredAs({ identity }: ResourceDefinition, text: string): boolean {
  return text.startsWith(`{"kind":"${identity.kind}","apiVersion":"${apiVersionOf(identity)}",`);
}
