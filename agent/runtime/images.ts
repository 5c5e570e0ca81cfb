/** Images: looking one up, and pulling it. When to pull is the kubelet's business (agent/pods/images.ts). */
import type Docker from 'dockerode';
import { messageOf, statusCodeOf } from './engine.ts';
import { type ImageInfo, ImagePullError } from './runtime.ts';

export async function inspectImage(docker: Docker, reference: string): Promise<ImageInfo | undefined> {
  try {
    const info = await docker.getImage(reference).inspect();
    return {
      id: info.Id,
      digests: info.RepoDigests ?? [],
      sizeBytes: info.Size,
      user: info.Config?.User ?? '',
    };
  } catch (error) {
    if (statusCodeOf(error) === 404 || statusCodeOf(error) === 400) return undefined;
    throw error;
  }
}

export async function pullImage(
  docker: Docker,
  reference: string,
  credentials?: { username: string; password: string; registry: string },
): Promise<void> {
  const authconfig =
    credentials === undefined
      ? undefined
      : { username: credentials.username, password: credentials.password, serveraddress: credentials.registry };
  try {
    // Without a tag the engine would fetch every tag there is.
    const progress = await docker.pull(withTag(reference), authconfig === undefined ? {} : { authconfig });
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (error: Error | null) => (error === null ? resolve() : reject(error)));
    });
  } catch (error) {
    const message = messageOf(error);
    const invalid = message.includes('invalid reference format');
    throw new ImagePullError(invalid ? 'InvalidImageName' : 'ErrImagePull', message);
  }
}

export function withTag(reference: string): string {
  if (reference.includes('@')) return reference;
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return last.includes(':') ? reference : `${reference}:latest`;
}
