/**
 * `longshore join`: makes this machine a minion of a control plane elsewhere. The server's authority comes from a file, or
 * from the server itself when its hash is known, as kubeadm's discovery does; otherwise the system's authorities are used.
 */
import { X509Certificate as Certificate, createHash, type X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { layoutOf } from '../control-plane/layout.ts';
import { writeSecretFile } from '../control-plane/secret-file.ts';
import type { Settings } from '../settings.ts';
import { startDetached, supervise } from './supervise.ts';

/** As kubeadm's --discovery-token-ca-cert-hash: SHA-256 of the authority's public key. */
export function hashOfAuthority(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

export const hashOfAuthorityPem = (pem: string): string => hashOfAuthority(new Certificate(pem));

/** The certificates that a server shows, its own first. Nothing is trusted yet. */
function shownCertificates(server: string): Promise<Certificate[]> {
  const { hostname, port } = new URL(server);
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect(
      { host, port: Number(port || 443), servername: '', rejectUnauthorized: false, timeout: 10_000 },
      () => {
        const chain: Certificate[] = [];
        let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
        while (next?.raw !== undefined) {
          const { raw } = next;
          if (chain.some((each) => each.raw.equals(raw))) break;
          chain.push(new Certificate(raw));
          next = next.issuerCertificate;
        }
        socket.end();
        resolve(chain);
      },
    );
    socket.once('timeout', () => socket.destroy(new Error(`${server} did not answer within 10 s`)));
    socket.once('error', reject);
  });
}

/** The authority with this hash, from the server's own chain, as PEM. @throws when it is not there: somebody else answers */
export async function fetchAuthority(server: string, hash: string): Promise<string> {
  const chain = await shownCertificates(server);
  const authority = chain.find((each) => each.ca && hashOfAuthority(each) === hash.toLowerCase());
  if (authority === undefined) {
    throw new Error(
      `${server} shows no authority with the hash ${hash}: this is another server, or the hash is of another cluster`,
    );
  }
  return `${authority.toString().trimEnd()}\n`;
}

export interface JoinOptions {
  server: string;
  token: string;
  caFile?: string;
  caHash?: string;
  detach: boolean;
}

export async function join(settings: Settings, options: JoinOptions): Promise<void> {
  const layout = layoutOf(settings.dataDir);
  mkdirSync(layout.agent, { recursive: true, mode: 0o700 });
  let { caFile } = options;
  if (options.caHash !== undefined) {
    caFile = joinPath(layout.agent, 'ca.crt');
    writeSecretFile(caFile, await fetchAuthority(options.server, options.caHash));
  } else if (caFile !== undefined) {
    // A relative path or a missing file is said now, not by a process in the background.
    readFileSync(caFile);
  }
  const joined: Settings = {
    ...settings,
    minion: { ...settings.minion, server: options.server.replace(/\/$/, ''), token: options.token, caFile },
  };
  if (options.detach) {
    await startDetached(layout, joined);
    process.stdout.write(`Minion ${joined.minion.nodeName} runs; its log is ${joinPath(layout.logs, 'minion.log')}.\n`);
    return;
  }
  process.stdout.write(
    `Minion ${joined.minion.nodeName} of ${joined.minion.server} runs until Ctrl-C; its pods stay.\n`,
  );
  await supervise(joined);
}
