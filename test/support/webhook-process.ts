/**
 * What a webhook's container would run, started in its pod's network namespace by `webhook-pod.ts`: an HTTPS server on port
 * 8443 that converts between two versions of a kind, v1 with `hostPort` and v2 with `host` and `port`. Says on standard
 * output when it listens, then the name and path of each call, a line each.
 */
import { createServer } from 'node:https';

interface Endpoint {
  apiVersion: string;
  hostPort?: string;
  host?: string;
  port?: string;
}

interface Review {
  apiVersion: string;
  kind: string;
  request: { uid: string; desiredAPIVersion: string; objects: Endpoint[] };
}

function convert({ hostPort = ':', host = '', port = '', ...rest }: Endpoint, apiVersion: string): Endpoint {
  if (apiVersion.endsWith('/v1')) return { ...rest, apiVersion, hostPort: `${host}:${port}` };
  const [before = '', after = ''] = hostPort.split(':');
  return { ...rest, apiVersion, host: before, port: after };
}

const { HOOK_CERTIFICATE: cert, HOOK_KEY: key } = process.env;
const server = createServer({ cert, key }, (request, response) => {
  console.log(`${request.headers.host} ${request.url}`);
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const { apiVersion, kind, request: asked } = JSON.parse(Buffer.concat(pieces).toString()) as Review;
    const convertedObjects = asked.objects.map((each) => convert(each, asked.desiredAPIVersion));
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        apiVersion,
        kind,
        response: { uid: asked.uid, result: { status: 'Success' }, convertedObjects },
      }),
    );
  });
});
server.listen(8443, '0.0.0.0', () => console.log('listening'));
