/** The events of a watch, one after the other, from its chunked answer. */
import type { KubeObject } from '../../../shared/api/meta.ts';

export interface WatchEvent {
  type: string;
  object: KubeObject & Record<string, unknown>;
}

export interface EventReader {
  /** @throws when the watch has ended. */
  next(): Promise<WatchEvent>;
  /** The next `count` events as `TYPE name`. */
  told(count: number): Promise<string[]>;
  cancel(): Promise<void>;
}

export function eventsOf(response: Response): EventReader {
  const lines: string[] = [];
  let rest = '';
  const stream = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const next = async (): Promise<WatchEvent> => {
    while (lines.length === 0) {
      const { done, value } = (await stream?.read()) ?? { done: true, value: '' };
      if (done) throw new Error('the watch ended');
      rest += value;
      const parts = rest.split('\n');
      rest = parts.pop() ?? '';
      // Blank lines are keep-alive.
      lines.push(...parts.filter((line) => line !== ''));
    }
    return JSON.parse(lines.shift() ?? '') as WatchEvent;
  };
  return {
    next,
    async told(count) {
      const events: string[] = [];
      while (events.length < count) {
        const { type, object } = await next();
        events.push(`${type} ${object.metadata.name}`);
      }
      return events;
    },
    cancel: async () => {
      await stream?.cancel();
    },
  };
}
