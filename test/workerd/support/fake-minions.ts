/** Minions without machines, dialling the Worker of this isolate. */
import { type Dial, SYSTEM_TIMERS } from '../../../agent/link/kept-socket.ts';
import type { Pod } from '../../../shared/api/core.ts';
import { LINK_PATH } from '../../../shared/link/protocol.ts';
import { minionClaims } from '../../../worker/http/tokens.ts';
import { FakeMinion, type FakeMinionOptions } from '../../support/fake-minion.ts';
import { type TestApi, tokenOf } from './api.ts';

/** @param onText hears every text that comes in, answers to heartbeats among them. */
function dialTo(api: TestApi, node: string, machineId: string, onText: (text: string) => void): Dial {
  return (events) => {
    let socket: WebSocket | undefined;
    const connect = async () => {
      const token = await tokenOf(minionClaims(api.cluster, node, machineId));
      const answer = await api.fetch('GET', LINK_PATH, { token, headers: { Upgrade: 'websocket' } });
      if (answer.webSocket === null) {
        events.down(`HTTP ${answer.status}: ${await answer.text()}`, answer.status);
        return;
      }
      socket = answer.webSocket;
      socket.addEventListener('message', ({ data }) => {
        onText(String(data));
        events.text(String(data));
      });
      socket.addEventListener('close', ({ reason }) => events.down(reason));
      socket.accept();
      events.open();
    };
    connect().catch((error: unknown) => events.down(String(error)));
    return {
      send: (data, sent) => {
        socket?.send(data);
        sent?.();
      },
      bufferedBytes: 0,
      close: (code, reason) => socket?.close(code, reason),
      terminate: () => socket?.close(),
    };
  };
}

export interface WorkerdMinionOptions extends Partial<Pick<FakeMinionOptions, 'statusOf' | 'log'>> {
  onText?: (text: string) => void;
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
  const { onText = () => undefined, ...more } = options;
  const machineId = `machine-of-${node}`;
  const minion = new FakeMinion({
    node,
    machineId,
    timers: SYSTEM_TIMERS,
    dial: dialTo(api, node, machineId, onText),
    ...more,
  });
  minion.start();
  return minion;
}
