/** The part of node:crypto that backups need: it is synchronous. Workers: `nodejs_compat`. */
declare module 'node:crypto' {
  interface TextHash {
    update(data: string | Uint8Array): TextHash;
    digest(): Uint8Array;
    digest(encoding: 'hex' | 'base64' | 'base64url'): string;
  }
  function createHash(algorithm: string): TextHash;
}
