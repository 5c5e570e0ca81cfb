/** The part of node:crypto that certificates need: it is synchronous, as controllers are. Workers: `nodejs_compat`. */
declare module 'node:crypto' {
  function createPrivateKey(pem: string): object;
  function createPublicKey(pem: string): object;
  function sign(algorithm: string | null, data: Uint8Array, key: object): Uint8Array;
  function verify(algorithm: string | null, data: Uint8Array, key: object, signature: Uint8Array): boolean;
}
