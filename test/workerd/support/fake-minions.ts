/** Minions without machines, dialling the Worker of this isolate. */
import { type Dial, SYSTEM_TIMERS } from '../../../agent/link/kept-socket.ts';
import type { Pod } from '../../../shared/api/core.ts';
import { LINK_PATH } from '../../../shared/link/protocol.ts';
import { minionClaims } from '../../../worker/http/tokens.ts';
import { FakeMinion, type FakeMinionOptions } from '../../support/fake-minion.ts';
import { type TestApi, tokenOf } from './api.ts';

type Way = Required<Pick<WorkerdMinionOptions, 'onText' | 'carries'>>;

function dialTo(api: TestApi, node: string, machineId: string, { onText, carries }: Way): Dial {
  return (events) => {
    let socket: WebSocket | undefined;
    let isOver = false;
    const down = (reason: string, status?: number) => {
      if (isOver) return;
      isOver = true;
      events.down(reason, status);
    };
    const connect = async () => {
      const token = await tokenOf(minionClaims(api.cluster, node, machineId));
      const answer = await api.fetch('GET', LINK_PATH, { token, headers: { Upgrade: 'websocket' } });
      if (answer.webSocket === null) {
        down(`HTTP ${answer.status}: ${await answer.text()}`, answer.status);
        return;
      }
      socket = answer.webSocket;
      socket.addEventListener('message', ({ data }) => {
        const text = String(data);
        if (isOver || !carries(text)) return;
        onText(text);
        events.text(text);
      });
      socket.addEventListener('close', ({ reason }) => carries(undefined) && down(reason));
      socket.accept();
      events.open();
    };
    connect().catch((error: unknown) => down(String(error)));
    return {
      send: (data, sent) => {
        socket?.send(data);
        sent?.();
      },
      bufferedBytes: 0,
      close: (code, reason) => socket?.close(code, reason),
      terminate: () => {
        socket?.close();
        down('terminated');
      },
    };
  };
}

export interface WorkerdMinionOptions extends Partial<Pick<FakeMinionOptions, 'statusOf' | 'log'>> {
  /** Hears every text that comes in, answers to heartbeats among them. */
  onText?: (text: string) => void;
  /** Whether a text gets through to the minion; undefined: the end of its socket. */
  carries?: (text: string | undefined) => boolean;
}

/** A minion that gets a pod's token, as the agent does, before it says that the pod runs. */
export function tokenMinion(api: TestApi, node: string): FakeMinion {
  const minion: FakeMinion = fakeMinion(api, node, {
    statusOf: (pod, podIP) => {
      if (pod.status?.phase === 'Running') return undefined;
      const { namespace = '', name, uid } = pod.metadata;
      askToken(api, minion, pod).then(
        () => minion.report({ namespace, name, uid }, minion.running(pod, podIP)),
        (error: unknown) =>
          minion.report({ namespace, name, uid }, { phase: 'Failed', reason: 'NoToken', message: String(error) }),
      );
      return undefined;
    },
  });
  return minion;
}

async function askToken(api: TestApi, { node, machineId }: FakeMinion, pod: Pod): Promise<void> {
  const sources = (pod.spec.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? []);
  const token = await tokenOf(minionClaims(api.cluster, node, machineId));
  const { namespace, name, uid } = pod.metadata;
  for (const { serviceAccountToken } of sources) {
    if (serviceAccountToken === undefined) continue;
    const { expirationSeconds } = serviceAccountToken;
    const spec = { expirationSeconds, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } };
    const account = `/api/v1/namespaces/${namespace}/serviceaccounts/${pod.spec.serviceAccountName}`;
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
    await api.json('POST', `${account}/token`, { token, body });
  }
}

export function fakeMinion(api: TestApi, node: string, options: WorkerdMinionOptions = {}): FakeMinion {
  const { onText = () => undefined, carries = () => true, ...more } = options;
  const machineId = `machine-of-${node}`;
  const minion = new FakeMinion({
    node,
    machineId,
    timers: SYSTEM_TIMERS,
    dial: dialTo(api, node, machineId, { onText, carries }),
    ...more,
  });
  minion.start();
  return minion;
}
