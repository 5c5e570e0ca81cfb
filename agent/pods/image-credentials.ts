/** The registry credentials in a pod's imagePullSecrets that fit an image. Pure. */
import type { Pod, Secret } from '../../shared/api/core.ts';
import type { References } from './pods.ts';

export interface Credentials {
  username: string;
  password: string;
  registry: string;
}

const DOCKER_HUB = 'docker.io';

export function credentialsFor(pod: Pod, image: string, references: References): Credentials[] {
  const registry = registryOf(image);
  return (pod.spec.imagePullSecrets ?? []).flatMap(({ name = '' }) => {
    const secret = references.secret(pod.metadata.namespace ?? '', name);
    return secret === undefined ? [] : credentialsIn(secret).filter((each) => hostOf(each.registry) === registry);
  });
}

/** `nginx` → `docker.io`; `ghcr.io/a/b:1` → `ghcr.io`; `localhost:5000/a` → `localhost:5000`. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? hostOf(first) : DOCKER_HUB;
}

function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? DOCKER_HUB : host;
}

function credentialsIn(secret: Secret): Credentials[] {
  const current = secret.data?.['.dockerconfigjson'];
  const old = secret.data?.['.dockercfg'];
  const text = current ?? old;
  if (text === undefined) return [];
  const config = JSON.parse(Buffer.from(text, 'base64').toString()) as { auths?: Auths } & Auths;
  return Object.entries((current === undefined ? config : config.auths) ?? {}).map(([registry, entry]) => {
    const [user = '', ...password] = Buffer.from(entry.auth ?? '', 'base64')
      .toString()
      .split(':');
    return { registry, username: entry.username ?? user, password: entry.password ?? password.join(':') };
  });
}

type Auths = Record<string, { auth?: string; username?: string; password?: string }>;
