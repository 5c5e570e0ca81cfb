/** Requests for certificates, made as openssl makes them. */
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** As spec.request of a CertificateSigningRequest. */
export async function certificateRequest(commonName: string, organizations: readonly string[] = []): Promise<string> {
  const keys = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }, ...organizations.map((each) => ({ O: [each] }))],
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return btoa(`${request.toString('pem')}\n`);
}
