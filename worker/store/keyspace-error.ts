/**
 * Refusals of the etcd surface: a gRPC code and etcd's own text, because clients compare texts.
 * Source: etcd 3.5, api/v3rpc/rpctypes/error.go; HTTP codes as grpc-gateway gives them.
 */

export type RpcCode = 3 | 5 | 9 | 11 | 12;

const HTTP_CODES: Record<RpcCode, number> = {
  3: 400, // InvalidArgument
  5: 404, // NotFound
  9: 400, // FailedPrecondition
  11: 400, // OutOfRange
  12: 501, // Unimplemented
};

export class RpcError extends Error {
  readonly code: RpcCode;

  constructor(code: RpcCode, message: string) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
  }

  get httpCode(): number {
    return HTTP_CODES[this.code];
  }

  get body(): { error: string; code: RpcCode; message: string } {
    return { error: this.message, code: this.code, message: this.message };
  }
}

export const emptyKey = () => new RpcError(3, 'etcdserver: key is not provided');
export const keyNotFound = () => new RpcError(3, 'etcdserver: key not found');
export const valueProvided = () => new RpcError(3, 'etcdserver: value is provided');
export const leaseProvided = () => new RpcError(3, 'etcdserver: lease is provided');
export const tooManyOps = () => new RpcError(3, 'etcdserver: too many operations in txn request');
export const duplicateKey = () => new RpcError(3, 'etcdserver: duplicate key given in txn request');
export const invalidSortOption = () => new RpcError(3, 'etcdserver: invalid sort option');
export const requestTooLarge = () => new RpcError(3, 'etcdserver: request is too large');
export const compacted = () => new RpcError(11, 'etcdserver: mvcc: required revision has been compacted');
export const futureRevision = () => new RpcError(11, 'etcdserver: mvcc: required revision is a future revision');
export const leaseNotFound = () => new RpcError(5, 'etcdserver: requested lease not found');
export const leaseExists = () => new RpcError(9, 'etcdserver: lease already exists');
export const leaseTtlTooLarge = () => new RpcError(11, 'etcdserver: too large lease TTL');
export const notServed = (path: string) =>
  new RpcError(12, `${path} is not served: this keyspace has kv, watch and lease; users and members are the cluster's`);
