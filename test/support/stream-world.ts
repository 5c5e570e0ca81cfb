/** The agent's stream handlers with a Session in front of them, as the Worker has it; bytes move by themselves. */
import { answering } from '../../agent/link/streams.ts';
import type { KubeletEndpoints } from '../../agent/node/kubelet-endpoints.ts';
import type { PodStreams } from '../../agent/pods/pods.ts';
import { CHANNELS, type StreamEnd, type StreamHead, type StreamHeader } from '../../shared/tunnel/kinds.ts';
import { Session } from '../../shared/tunnel/session.ts';
import type { TunnelStream } from '../../shared/tunnel/stream.ts';
import { eventually } from './eventually.ts';
import { keptLog } from './scripted-cluster.ts';

export interface OpenedStream {
  stream: TunnelStream;
  /** What came so far, by channel. */
  text(channel?: number): string;
  bytes(channel?: number): Buffer;
  head(): Promise<StreamHead>;
  ended(): Promise<StreamEnd>;
  endedChannels: number[];
  /** Gives credit back by itself; false: the test does. */
  reading: boolean;
}

const nothingServed: KubeletEndpoints = async () => ({ status: 404, contentType: 'text/plain', body: '' });

export function streamWorld(pods: Partial<PodStreams> = {}, endpoints = nothingServed) {
  const missing = () => {
    throw new Error('this test has no such stream');
  };
  const all: PodStreams = { logs: missing, exec: missing, attach: missing, sandboxPid: missing, ...pods };
  const log = keptLog();
  let due = false;
  const pump = () => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      for (let message = worker.takeOutput(); message; message = worker.takeOutput()) agent.receive(message);
      for (let message = agent.takeOutput(); message; message = agent.takeOutput()) worker.receive(message);
    });
  };
  const worker = new Session({ onOutput: pump });
  const agent = new Session({ onOutput: pump, onOpen: answering({ pods: all, endpoints, log }) });

  function open(header: StreamHeader): OpenedStream {
    const chunks: { channel: number; bytes: Uint8Array }[] = [];
    const endedChannels: number[] = [];
    let head: StreamHead | undefined;
    let end: StreamEnd | undefined;
    const stream = worker.open(header, {
      head: (given) => {
        head = given;
      },
      data: (channel, bytes) => {
        chunks.push({ channel, bytes: bytes.slice() });
        if (opened.reading) stream.consumed(bytes.length);
      },
      end: (channel) => endedChannels.push(channel),
      close: (given) => {
        end = given;
      },
    });
    const state = () => JSON.stringify({ head, end, log: log.lines });
    const bytes = (channel = 0) =>
      Buffer.concat(chunks.filter((each) => each.channel === channel).map((each) => each.bytes));
    const opened: OpenedStream = {
      stream,
      endedChannels,
      reading: true,
      bytes,
      text: (channel = CHANNELS.stdin) => bytes(channel).toString('utf8'),
      head: () => eventually('the head', () => head, { timeoutMs: 5000, describe: state }),
      ended: () => eventually('the end', () => end, { timeoutMs: 5000, describe: state }),
    };
    return opened;
  }
  return { open, agent, worker, log };
}
