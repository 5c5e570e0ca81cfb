/**
 * Asks a DNS server on loopback the same question over and over from a process of its own, so many at a time. Arguments:
 * port, questions, how many at a time, how many records
 * each answer is to hold. Prints { perSecond, p50Ms, p99Ms, wrong } as JSON.
 */
import { createSocket } from 'node:dgram';
import { encode, RECURSION_DESIRED } from 'dns-packet';
import { percentile } from './load.ts';

const [port = 0, questions = 0, atOnce = 0, records = 0] = process.argv.slice(2).map(Number);
const PATIENCE_MS = 2000;
/** In a DNS header. */
const ANSWER_COUNT_AT = 6;

const question = encode({
  type: 'query',
  id: 0,
  flags: RECURSION_DESIRED,
  questions: [{ type: 'A', name: 's7.default.svc.cluster.local' }],
});

let asked = 0;
let wrong = 0;
const latencies: number[] = [];

/** One question under way at a time, each answered before the next. */
function asker(): Promise<void> {
  const socket = createSocket('udp4');
  const { promise, resolve } = Promise.withResolvers<void>();
  let startedAt = 0;
  let lost: NodeJS.Timeout | undefined;
  const next = () => {
    clearTimeout(lost);
    if (asked >= questions) {
      socket.close();
      resolve();
      return;
    }
    asked++;
    startedAt = performance.now();
    lost = setTimeout(() => {
      wrong++;
      next();
    }, PATIENCE_MS);
    socket.send(question);
  };
  socket.on('message', (answer) => {
    latencies.push(performance.now() - startedAt);
    if (answer.readUInt16BE(ANSWER_COUNT_AT) !== records) wrong++;
    next();
  });
  socket.connect(port, '127.0.0.1', next);
  return promise;
}

const startedAt = performance.now();
await Promise.all(Array.from({ length: atOnce }, asker));
const seconds = (performance.now() - startedAt) / 1000;
latencies.sort((a, b) => a - b);
process.stdout.write(
  JSON.stringify({
    perSecond: questions / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    wrong,
  }),
);
