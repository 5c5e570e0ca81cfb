/**
 * Which image each container of the example runs: the real one where the engine has it or can get it, else one made from
 * this machine's own packages under a name of its own, and what replaces an image that no package gives. Pure.
 */
import type { Deployment } from '../../../shared/api/apps.ts';
import type { KubeObject } from '../../../shared/api/meta.ts';

/** Repository (no tag) of the real image → the image made here. The real name is never used for it. */
export const MADE_IMAGES: Record<string, string> = {
  nginx: 'longshore.local/nginx:debian',
  redis: 'longshore.local/redis:debian',
};

export const MADE_PREFIX = 'longshore.local/';

/** Containers that cannot be had from packages, by the repository of their image → who stands in, from the same example. */
const STAND_INS: Record<string, string> = { mongo: 'redis' };

/** `nginx:1.28` → `nginx`; `registry:5000/a/b@sha256:…` → `registry:5000/a/b`. */
export function repositoryOf(reference: string): string {
  const bare = reference.split('@')[0] ?? '';
  const colon = bare.lastIndexOf(':');
  return colon > bare.lastIndexOf('/') ? bare.slice(0, colon) : bare;
}

const isDeployment = (object: KubeObject): object is Deployment => object.kind === 'Deployment';

/** Every image that these objects name, once. */
export function imagesOf(objects: readonly KubeObject[]): string[] {
  const images = objects
    .filter(isDeployment)
    .flatMap((each) => each.spec.template.spec.containers)
    .map((container) => container.image ?? '');
  return [...new Set(images)].filter((image) => image !== '');
}

export interface Substituted {
  objects: KubeObject[];
  /** Images to make, of MADE_IMAGES. */
  made: string[];
  /** One phrase per replacement, for the one line that is printed. */
  said: string[];
}

/**
 * Replaces the images that cannot be had.
 * @param unavailable image references, as in the manifests
 * @throws when an image is neither available nor replaceable
 */
export function substituteImages(objects: readonly KubeObject[], unavailable: ReadonlySet<string>): Substituted {
  const copies = structuredClone(objects) as KubeObject[];
  const containers = copies.filter(isDeployment).flatMap((each) => each.spec.template.spec.containers);
  const originals = structuredClone(containers);
  const made = new Set<string>();
  const said = new Set<string>();
  for (const deployment of copies.filter(isDeployment)) {
    const { spec } = deployment.spec.template;
    spec.containers = spec.containers.map((container) => {
      const image = container.image ?? '';
      if (!unavailable.has(image)) return container;
      const own = MADE_IMAGES[repositoryOf(image)];
      if (own !== undefined) {
        made.add(own);
        said.add(`${repositoryOf(image)} is ${own}`);
        return { ...container, image: own };
      }
      const standIn = originals.find((each) => repositoryOf(each.image ?? '') === STAND_INS[repositoryOf(image)]);
      if (standIn === undefined)
        throw new Error(`image ${image} cannot be pulled, and nothing here can stand in for it`);
      const replaced = unavailable.has(standIn.image ?? '')
        ? (MADE_IMAGES[repositoryOf(standIn.image ?? '')] ?? '')
        : (standIn.image ?? '');
      if (replaced.startsWith(MADE_PREFIX)) made.add(replaced);
      said.add(
        `${repositoryOf(image)} cannot be had, so ${deployment.metadata.name} runs ${standIn.name} in its place`,
      );
      return { ...structuredClone(standIn), image: replaced };
    });
  }
  return { objects: copies, made: [...made].sort(), said: [...said] };
}
