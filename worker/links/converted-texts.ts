/**
 * Texts of objects in versions that a webhook converts to, for as long as somebody waits for them: all watchers of one
 * version share one review of what they are told at the same time.
 */
import type { ResourceDefinition } from '../resources/definition.ts';
import type { StoredObject } from '../store/store.ts';
import { shownTexts } from './conversion-call.ts';
import type { Watcher } from './event-texts.ts';
import type { WebhookClient } from './webhook-call.ts';

export const isConverted = ({ served }: Watcher): boolean => served.definition.conversion !== undefined;

export class ConvertedTexts {
  readonly #client: WebhookClient;
  readonly #texts = new Map<string, Promise<string>>();
  #waiting = 0;

  constructor(client: WebhookClient) {
    this.#client = client;
  }

  /** In the same order. @throws StatusError 500 when one of them cannot be converted. */
  async of(definition: ResourceDefinition, objects: readonly StoredObject[]): Promise<string[]> {
    this.#waiting += 1;
    try {
      const keys = objects.map((each) => keyOf(definition, each));
      const missing = objects.filter((_, index) => !this.#texts.has(keys[index] ?? ''));
      if (missing.length > 0) this.#ask(definition, missing);
      return await Promise.all(keys.map((key) => this.#texts.get(key) ?? ''));
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#texts.clear();
    }
  }

  #ask(definition: ResourceDefinition, missing: readonly StoredObject[]): void {
    const asked = shownTexts(
      this.#client,
      definition,
      missing.map((each) => each.text),
    );
    for (const [index, each] of missing.entries()) {
      const text = asked.then((texts) => texts[index] ?? '');
      // Whoever waits for it hears of the error; of several waiting for one object, one may have gone.
      text.catch(() => {});
      this.#texts.set(keyOf(definition, each), text);
    }
  }
}

function keyOf(
  { conversion, identity }: ResourceDefinition,
  { resource, namespace, name, revision, text }: StoredObject,
): string {
  return [conversion?.key, identity.version, resource, namespace, name, revision, text.length].join(' ');
}
