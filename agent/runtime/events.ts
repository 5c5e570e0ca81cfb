/** The engine's event stream, narrowed to this instance's containers, which comes back by itself when the engine was away. */
import { createInterface } from 'node:readline';
import { type Engine, openStream } from './engine.ts';
import { isKind, LABELS, podOf } from './naming.ts';
import type { RuntimeEvent } from './runtime.ts';

const ACTIONS: Record<string, 'started' | 'died' | 'removed' | 'oom'> = {
  start: 'started',
  die: 'died',
  destroy: 'removed',
  oom: 'oom',
};
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

interface DockerEvent {
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
}

export function watchEvents(
  engine: Engine,
  instance: string,
  onEvent: (event: RuntimeEvent) => void,
  signal: AbortSignal,
): void {
  const filters = JSON.stringify({
    type: ['container'],
    label: [`${LABELS.instance}=${instance}`],
    event: Object.keys(ACTIONS),
  });
  let retryMs = FIRST_RETRY_MS;
  let connectedBefore = false;

  const connect = async () => {
    const source = await openStream(engine, { method: 'GET', path: '/events', query: { filters }, abort: signal });
    retryMs = FIRST_RETRY_MS;
    if (connectedBefore) onEvent({ type: 'reconnected' });
    connectedBefore = true;
    for await (const line of createInterface({ input: source })) {
      const event = eventOf(JSON.parse(line) as DockerEvent);
      if (event !== undefined && !signal.aborted) onEvent(event);
    }
  };

  const keepConnected = async () => {
    while (!signal.aborted) {
      try {
        await connect();
      } catch (error) {
        if (signal.aborted) return;
        // An engine that restarts is an everyday thing: what was missed is found by the listing that follows.
        connectedBefore = true;
        if (!(error instanceof Error)) throw error;
      }
      await pause(retryMs, signal);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  };
  void keepConnected();
}

function eventOf({ Action: action, Actor: actor }: DockerEvent): RuntimeEvent | undefined {
  const type = ACTIONS[action];
  if (type === undefined || !isKind(actor.Attributes[LABELS.kind])) return undefined;
  return { type, containerId: actor.ID, pod: podOf(actor.Attributes) };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
