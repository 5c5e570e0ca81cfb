/**
 * TCP connections to 127.0.0.1 inside a pod's network namespace. A process changes its namespace only as a whole, so a
 * small child enters it with nsenter(1), connects, and hands the connected socket over; then it is a socket like any other.
 * One child serves all connections of a port-forward session.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

export interface PodLoopback {
  /** @throws Error in the words of connect(2): `connect ECONNREFUSED 127.0.0.1:80`. */
  connect(port: number): Promise<Socket>;
  close(): void;
}

/** Messages between this process and its child. */
export interface ConnectRequest {
  id: number;
  port: number;
}
export interface ConnectReply {
  id: number;
  error?: string;
}

/** The host's own loopback: for pods on the host network. */
export const HOST_LOOPBACK: PodLoopback = {
  connect: (port) => connected(connect({ host: '127.0.0.1', port, allowHalfOpen: true })),
  close: () => undefined,
};

/** @param pid a process inside the pod, as the host numbers it. */
export function podLoopback(pid: number): PodLoopback {
  let child: ChildProcess | undefined;
  let nextId = 1;
  const waiting = new Map<number, { resolve(socket: Socket): void; reject(error: Error): void }>();
  const failAll = (error: Error) => {
    child = undefined;
    for (const each of waiting.values()) each.reject(error);
    waiting.clear();
  };

  function start(): ChildProcess {
    const script = fileURLToPath(new URL('./loopback-child.ts', import.meta.url));
    const started = fork(script, [], {
      execPath: 'nsenter',
      // The pod decides nothing about this process but its network.
      execArgv: [`--net=/proc/${pid}/ns/net`, '--', process.execPath, '--disable-warning=ExperimentalWarning'],
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    started.on('message', (reply: ConnectReply, socket) => {
      const asked = waiting.get(reply.id);
      waiting.delete(reply.id);
      if (reply.error !== undefined) asked?.reject(new Error(reply.error));
      else if (socket === undefined) asked?.reject(new Error('the connection was closed at once'));
      else if (asked === undefined) (socket as Socket).destroy();
      else asked.resolve(socket as Socket);
    });
    started.on('error', (error) => failAll(new Error(`cannot enter the network of the pod: ${error.message}`)));
    started.on('exit', (code) =>
      failAll(new Error(`cannot enter the network of the pod (exit ${code}): ${said.trim()}`)),
    );
    return started;
  }

  return {
    connect: (port) =>
      new Promise((resolve, reject) => {
        child ??= start();
        const id = nextId++;
        waiting.set(id, { resolve, reject });
        child.send({ id, port } satisfies ConnectRequest);
      }),
    close: () => {
      child?.kill();
    },
  };
}

export function connected(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
