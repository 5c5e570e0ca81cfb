/**
 * What a webhook's container would run, started in its pod's network namespace by `webhook-pod.ts`: an HTTPS server on port
 * 8443 that converts between two versions of a kind, v1 with `hostPort` and v2 with `host` and `port`, and gives every pod
 * that it is shown a sidecar. Says on standard output when it listens, then the name and path of each call, a line each.
 */
import { createServer } from 'node:https';

interface Endpoint {
  apiVersion: string;
  hostPort?: string;
  host?: string;
  port?: string;
}

interface ConversionRequest {
  uid: string;
  desiredAPIVersion: string;
  objects: Endpoint[];
}

interface AdmissionRequest {
  uid: string;
  object: { spec: { containers: { image: string }[] } };
}

function convert({ hostPort = ':', host = '', port = '', ...rest }: Endpoint, apiVersion: string): Endpoint {
  if (apiVersion.endsWith('/v1')) return { ...rest, apiVersion, hostPort: `${host}:${port}` };
  const [before = '', after = ''] = hostPort.split(':');
  return { ...rest, apiVersion, host: before, port: after };
}

const answers: Record<string, (request: never) => object> = {
  ConversionReview: ({ uid, objects, desiredAPIVersion }: ConversionRequest) => ({
    uid,
    result: { status: 'Success' },
    convertedObjects: objects.map((each) => convert(each, desiredAPIVersion)),
  }),
  AdmissionReview: ({ uid, object }: AdmissionRequest) => {
    const sidecar = { name: 'sidecar', image: object.spec.containers[0]?.image, command: ['sleep', '3600'] };
    const patch = JSON.stringify([{ op: 'add', path: '/spec/containers/-', value: sidecar }]);
    return { uid, allowed: true, patchType: 'JSONPatch', patch: Buffer.from(patch).toString('base64') };
  },
};

const { HOOK_CERTIFICATE: cert, HOOK_KEY: key } = process.env;
const server = createServer({ cert, key }, (request, response) => {
  console.log(`${request.headers.host} ${request.url}`);
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const {
      apiVersion,
      kind,
      request: asked,
    } = JSON.parse(Buffer.concat(pieces).toString()) as {
      apiVersion: string;
      kind: string;
      request: never;
    };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion, kind, response: answers[kind]?.(asked) }));
  });
});
server.listen(8443, '0.0.0.0', () => console.log('listening'));
