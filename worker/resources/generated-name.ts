/** Names that the server makes up. Source: k8s.io/apiserver/pkg/storage/names, k8s.io/apimachinery/pkg/util/rand. */

/** Kubernetes: no vowels and nothing that reads like one, so that no word comes out. */
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const MAX_GENERATED_BASE = 58;

/** @param random 0 to 1, as Math.random */
export function generateName(base: string, random: () => number): string {
  let suffix = '';
  for (let index = 0; index < 5; index++) suffix += SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)];
  return base.slice(0, MAX_GENERATED_BASE) + suffix;
}
