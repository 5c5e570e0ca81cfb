/** A gRPC health check (grpc.health.v1.Health/Check) over plain HTTP/2, by hand: one message each way. */
import { connect, constants } from 'node:http2';

const SERVING = 1;
const SERVICE_FIELD = 0x0a;
const STATUS_FIELD = 0x08;

/** Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
export function grpcHealth(
  host: string,
  { port, service = '' }: { port: number; service?: string },
  timeoutMs: number,
): Promise<{ ok: boolean; message: string }> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
    const finish = (ok: boolean, message: string) => {
      session.destroy();
      resolve({ ok, message });
    };
    session.on('error', reject);
    session.setTimeout(timeoutMs, () =>
      finish(false, `timeout: failed to connect service "${host}:${port}" within ${timeoutMs} ms`),
    );
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let grpcStatus: string | undefined;
    const noteStatus = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) grpcStatus = String(headers['grpc-status']);
    };
    stream.on('response', noteStatus);
    stream.on('trailers', noteStatus);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      if (grpcStatus !== '0')
        return finish(false, `service unhealthy (responded with gRPC status ${grpcStatus ?? 'none'})`);
      const status = statusIn(Buffer.concat(chunks));
      finish(status === SERVING, status === SERVING ? '' : `service unhealthy (responded with "${nameOf(status)}")`);
    });
    stream.end(requestOf(service));
  });
}

/** Five bytes of gRPC framing, then HealthCheckRequest { string service = 1 }. */
function requestOf(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([SERVICE_FIELD, name.length]), name]);
  const framing = Buffer.alloc(5);
  framing.writeUInt32BE(message.length, 1);
  return Buffer.concat([framing, message]);
}

/** HealthCheckResponse { ServingStatus status = 1 }; absent is 0, UNKNOWN. */
function statusIn(body: Buffer): number {
  const message = body.subarray(5);
  return message[0] === STATUS_FIELD ? (message[1] ?? 0) : 0;
}

const nameOf = (status: number) => ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'][status] ?? String(status);
