/** Descriptions of fields, read from the static assets: one JSON file a package. Without assets there are none. */
import type { Describe } from './openapi.ts';
import type { Descriptions } from './openapi-schemas.ts';

export const assetDescriptions =
  (assets: Fetcher | undefined): Describe =>
  async (packageName) => {
    if (assets === undefined) return undefined;
    const answer = await assets.fetch(`https://assets/openapi/${packageName}.json`);
    if (answer.status === 200) return (await answer.json()) as Descriptions;
    await answer.body?.cancel();
    return undefined;
  };
