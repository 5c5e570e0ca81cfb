/** Minions without machines, dialling the Worker of this isolate. */
import { type Dial, SYSTEM_TIMERS } from '../../../agent/link/kept-socket.ts';
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
