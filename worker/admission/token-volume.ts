/**
 * Where a pod finds its service account's token: the projected volume `kube-api-access-…`, mounted in every container at the
 * path that client libraries read, unless something of the author's is mounted there.
 * Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-token-volume
 */
import type { Container, PodSpec, Volume } from '../../shared/api/core.ts';
import { generateName } from '../resources/generated-name.ts';

const PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Upstream's odd number: by it an automatic mount is told from a token that somebody wants to be short-lived. */
export const AUTOMOUNTED_SECONDS = 3607;

/** Run again over its own work it changes nothing. */
export function mountToken(spec: PodSpec, random: () => number): void {
  const present = spec.volumes?.find(({ name }) => name.startsWith(PREFIX));
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(isBare);
  if (containers.length === 0) return;
  const volume = present ?? tokenVolume(generateName(PREFIX, random));
  for (const container of containers) {
    const mount = { name: volume.name, readOnly: true, mountPath: MOUNT_PATH };
    container.volumeMounts = [...(container.volumeMounts ?? []), mount];
  }
  if (present === undefined) spec.volumes = [...(spec.volumes ?? []), volume];
}

const isBare = ({ volumeMounts = [] }: Container): boolean =>
  volumeMounts.every(({ mountPath }) => mountPath !== MOUNT_PATH);

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: AUTOMOUNTED_SECONDS, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});
