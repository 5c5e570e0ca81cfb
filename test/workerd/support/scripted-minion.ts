/** A minion's end of the control socket, as a script: says what a test wants, keeps what it was told, applies deltas. */
import type { NodeStatus } from '../../../shared/api/core.ts';
import {
  type Delta,
  type DownMessage,
  type Hello,
  LINK_PATH,
  LINK_VERSION,
  type LinkedObject,
  type Refused,
  type Report,
  type Reported,
  type UpMessage,
  type Welcome,
} from '../../../shared/link/protocol.ts';
import { minionClaims } from '../../../worker/http/tokens.ts';
import { eventually } from '../../support/eventually.ts';
import { type TestApi, tokenOf } from './api.ts';

export const NODE_STATUS: NodeStatus = {
  capacity: { cpu: '4', memory: '8Gi', pods: '110' },
  allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
  conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }],
  addresses: [{ type: 'InternalIP', address: '192.0.2.10' }],
  nodeInfo: {
    machineID: '',
    systemUUID: '',
    bootID: '',
    kernelVersion: '6.1.0',
    osImage: 'Debian',
    containerRuntimeVersion: 'docker://20.10',
    kubeletVersion: 'v1.36.0',
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: 'amd64',
  },
};

export class ScriptedMinion {
  readonly node: string;
  readonly deltas: Delta[] = [];
  readonly replies: Reported[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  /** What is on this minion, by `resource namespace/name`. */
  readonly objects = new Map<string, LinkedObject>();
  welcome: Welcome | undefined;
  refused: Refused | undefined;
  private readonly socket: WebSocket;
  private nextId = 1;
  private textListener: ((text: string) => void) | undefined;

  private constructor(node: string, socket: WebSocket) {
    this.node = node;
    this.socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const text = data as string;
      if (text.startsWith('{')) this.take(JSON.parse(text) as DownMessage);
      else this.textListener?.(text);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      this.closes.push({ code, reason });
    });
    socket.accept();
  }

  static async connect(api: TestApi, node: string, machineId = `machine-of-${node}`): Promise<ScriptedMinion> {
    const token = await tokenOf(minionClaims(api.cluster, node, machineId));
    const response = await api.fetch('GET', LINK_PATH, { token, headers: { Upgrade: 'websocket' } });
    if (response.webSocket === null) throw new Error(`no socket: ${response.status} ${await response.text()}`);
    return new ScriptedMinion(node, response.webSocket);
  }

  /** Connected, welcomed, and with its first delta. */
  static async joined(api: TestApi, node: string, more: Partial<Hello> = {}): Promise<ScriptedMinion> {
    const minion = await ScriptedMinion.connect(api, node, more.machineId);
    minion.hello(more);
    await eventually(`the first delta of ${node}`, () => minion.deltas.length > 0, {
      describe: () => JSON.stringify([minion.refused, minion.closes]),
    });
    return minion;
  }

  hello(more: Partial<Hello> = {}): void {
    this.send({
      type: 'hello',
      version: LINK_VERSION,
      node: this.node,
      agentVersion: '0.1.0',
      machineId: `machine-of-${this.node}`,
      registration: { labels: {}, annotations: {}, status: NODE_STATUS },
      ...more,
    });
  }

  send(message: UpMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** What comes besides messages: the answers to heartbeats. */
  onText(listener: (text: string) => void): void {
    this.textListener = listener;
  }

  raw(message: string | Uint8Array): void {
    this.socket.send(message);
  }

  /** Sends a report and waits for its answer. */
  async report(report: Omit<Report, 'type' | 'id'>): Promise<Reported> {
    const id = this.nextId++;
    this.send({ type: 'report', id, ...report });
    return eventually(`the answer to report ${id}`, () => this.replies.find((reply) => reply.id === id), {
      describe: () => JSON.stringify([this.refused, this.closes]),
    });
  }

  has(resource: string, namespace: string, name: string): boolean {
    return this.objects.has(`${resource} ${namespace}/${name}`);
  }

  get<T extends LinkedObject>(resource: string, namespace: string, name: string): T {
    const found = this.objects.get(`${resource} ${namespace}/${name}`);
    if (found === undefined)
      throw new Error(`${resource} ${namespace}/${name} is not among ${[...this.objects.keys()]}`);
    return found as T;
  }

  close(): void {
    this.socket.close(1000, 'test');
  }

  private take(message: DownMessage): void {
    if (message.type === 'welcome') this.welcome = message;
    else if (message.type === 'refused') this.refused = message;
    else if (message.type === 'reported') this.replies.push(message);
    else if (message.type === 'delta') this.apply(message);
  }

  private apply(delta: Delta): void {
    if (delta.full) this.objects.clear();
    for (const { resource, object } of delta.puts) {
      this.objects.set(`${resource} ${object.metadata.namespace ?? ''}/${object.metadata.name}`, object);
    }
    for (const { resource, namespace, name } of delta.removals) this.objects.delete(`${resource} ${namespace}/${name}`);
    this.deltas.push(delta);
  }
}
