/** A watch of the etcd surface: what the client sends, at once, and what it is told, one message after the other. */
import type { TestApi } from './api.ts';

export interface EtcdMessage {
  watch_id?: string;
  created?: boolean;
  canceled?: boolean;
  header?: { revision: string };
  events?: { type?: 'DELETE'; kv: { key: string; mod_revision: string } }[];
}

export interface EtcdEvents {
  /** The next message after the one that says that the watch was made. @throws when the stream has ended. */
  next(): Promise<EtcdMessage>;
  /** The next `count` events as `TYPE key revision`. */
  told(count: number): Promise<string[]>;
  cancel(): Promise<void>;
}

export async function etcdWatch(api: TestApi, requests: readonly object[]): Promise<EtcdEvents> {
  const raw = requests.map((each) => JSON.stringify(each)).join('\n');
  const response = await api.fetch('POST', '/v3/watch', { raw, headers: { 'content-type': 'application/json' } });
  if (response.status !== 200 || response.body === null) throw new Error(`/v3/watch answered ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  const next = async (): Promise<EtcdMessage> => {
    while (!rest.includes('\n')) {
      const { value, done } = await reader.read();
      if (done) throw new Error('the watch ended');
      rest += value;
    }
    const line = rest.slice(0, rest.indexOf('\n'));
    rest = rest.slice(line.length + 1);
    const { result } = JSON.parse(line) as { result?: EtcdMessage };
    if (result === undefined) throw new Error(`the watch was told ${line}`);
    return result;
  };
  const created = await next();
  if (created.created !== true) throw new Error(`no watch was made: ${JSON.stringify(created)}`);
  return {
    next,
    async told(count) {
      const told: string[] = [];
      while (told.length < count) {
        for (const { type, kv } of (await next()).events ?? [])
          told.push(`${type ?? 'PUT'} ${atob(kv.key)} ${kv.mod_revision}`);
      }
      return told;
    },
    cancel: () => reader.cancel(),
  };
}
