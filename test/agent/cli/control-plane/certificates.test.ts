import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchAuthority, hashOfAuthorityPem } from '../../../../agent/cli/commands/join.ts';
import {
  createAuthority,
  ensureCertificates,
  isStillGood,
  issueServerCertificate,
} from '../../../../agent/cli/control-plane/certificates.ts';
import { apiServerNames } from '../../../../agent/cli/control-plane/host-names.ts';
import { type Layout, layoutOf } from '../../../../agent/cli/control-plane/layout.ts';

const NOW = Date.now();
const DAY_MS = 86_400_000;
const NAMES = apiServerNames([], 'box', ['192.0.2.7', '2001:db8::7']);

/** A TLS server with these certificates, and one connection to it as a client that trusts `ca`. */
async function handshake(
  server: { certificate: string; privateKey: string },
  ca: string,
  servername: string,
): Promise<{ authorized: boolean; error: string | undefined }> {
  const listening = createServer({ cert: server.certificate, key: server.privateKey }, (socket: TLSSocket) =>
    socket.end(),
  );
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as AddressInfo;
  try {
    return await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => {
        socket.end();
        resolve({ authorized: socket.authorized, error: undefined });
      });
      socket.once('error', (error: NodeJS.ErrnoException) => resolve({ authorized: false, error: error.code }));
    });
  } finally {
    listening.close();
  }
}

describe('the API server certificate', () => {
  test('is trusted by TLS clients that have the authority, under every name, and only under those', async () => {
    const authority = await createAuthority(NOW);
    const server = await issueServerCertificate(authority, NAMES, NOW);
    for (const name of ['localhost', 'kubernetes.default.svc.cluster.local', 'box']) {
      expect(await handshake(server, authority.certificate, name)).toEqual({ authorized: true, error: undefined });
    }
    expect(await handshake(server, authority.certificate, 'elsewhere.example')).toEqual({
      authorized: false,
      error: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  test('is not trusted by clients of another cluster', async () => {
    const server = await issueServerCertificate(await createAuthority(NOW), NAMES, NOW);
    const stranger = await createAuthority(NOW);
    expect((await handshake(server, stranger.certificate, 'localhost')).authorized).toBe(false);
  });

  test('names the host, its addresses and what kubeadm names', async () => {
    const authority = await createAuthority(NOW);
    const certificate = new X509Certificate((await issueServerCertificate(authority, NAMES, NOW)).certificate);
    for (const name of ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'box']) {
      expect(certificate.checkHost(name)).toBe(name);
    }
    for (const address of ['127.0.0.1', '10.96.0.1', '192.0.2.7', '2001:db8::7']) {
      expect(certificate.checkIP(address)).toBe(address);
    }
    expect(certificate.ca).toBe(false);
    expect(new X509Certificate(authority.certificate).ca).toBe(true);
  });

  test('serves on until a name is missing, the end is near, or the authority is another', async () => {
    const authority = await createAuthority(NOW);
    const { certificate } = await issueServerCertificate(authority, ['localhost'], NOW);
    expect(isStillGood(certificate, authority.certificate, ['localhost'], NOW)).toBe(true);
    expect(isStillGood(certificate, authority.certificate, ['localhost', '192.0.2.9'], NOW)).toBe(false);
    expect(isStillGood(certificate, authority.certificate, ['localhost'], NOW + 340 * DAY_MS)).toBe(false);
    expect(isStillGood(certificate, (await createAuthority(NOW)).certificate, ['localhost'], NOW)).toBe(false);
  });
});

describe('certificates on disk', () => {
  let layout: Layout;
  beforeEach(() => {
    layout = layoutOf(mkdtempSync(join(tmpdir(), 'longshore-pki-')));
  });
  afterEach(() => {
    rmSync(layout.dataDir, { recursive: true });
  });
  const read = (path: string) => readFileSync(path, 'utf8');

  test('are made once, for their owner alone, and kept', async () => {
    await ensureCertificates(layout, ['localhost'], NOW);
    const first = [read(layout.caCertificate), read(layout.serverCertificate)];
    for (const key of [layout.caKey, layout.serverKey]) expect(statSync(key).mode & 0o777).toBe(0o600);
    await ensureCertificates(layout, ['localhost'], NOW);
    expect([read(layout.caCertificate), read(layout.serverCertificate)]).toEqual(first);
    expect(existsSync(`${layout.serverKey}.new`)).toBe(false);
  });

  test('get a new server certificate when an address is added, from the same authority', async () => {
    await ensureCertificates(layout, ['localhost'], NOW);
    const authority = read(layout.caCertificate);
    const before = read(layout.serverCertificate);
    await ensureCertificates(layout, ['localhost', '192.0.2.1'], NOW);
    expect(read(layout.caCertificate)).toBe(authority);
    expect(read(layout.serverCertificate)).not.toBe(before);
    expect(new X509Certificate(read(layout.serverCertificate)).checkIP('192.0.2.1')).toBe('192.0.2.1');
  });

  test('let a joining minion find the authority by its hash, and nothing by another hash', async () => {
    await ensureCertificates(layout, ['localhost', '127.0.0.1'], NOW);
    const open = new Set<Socket>();
    const listening = createServer({ cert: read(layout.serverCertificate), key: read(layout.serverKey) }, (socket) => {
      open.add(socket);
    });
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const server = `https://127.0.0.1:${(listening.address() as AddressInfo).port}`;
    try {
      const ca = read(layout.caCertificate);
      expect((await fetchAuthority(server, hashOfAuthorityPem(ca))).trim()).toBe(ca.trim());
      const other = hashOfAuthorityPem((await createAuthority(NOW)).certificate);
      await expect(fetchAuthority(server, other)).rejects.toThrow(`shows no authority with the hash ${other}`);
    } finally {
      for (const socket of open) socket.destroy();
      listening.close();
    }
  });
});
