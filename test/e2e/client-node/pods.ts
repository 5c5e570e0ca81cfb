/** The pods that both generations of the client work on. */
import { Writable } from 'node:stream';
import { BUSYBOX } from '../../support/images.ts';

export const NAMESPACE = 'default';

const SERVER =
  'mkdir -p /www; echo served > /www/index.html; echo begun; echo warned >&2; exec httpd -f -p 8080 -h /www';

const pod = (name: string, command: string[], more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: BUSYBOX, command, ...more }],
  },
});

/** `web` serves a page, `echo` says what it hears. */
export const PODS = [
  pod('web', ['sh', '-c', SERVER]),
  pod('echo', ['sh', '-c', 'while read line; do echo "heard $line"; done'], { stdin: true }),
];

/** What is written to it, as text. */
export function sink(): Writable & { text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString('utf8') });
}
