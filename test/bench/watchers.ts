/** Clients that watch, over HTTP, ours and the bare object's alike. Events are looked at for their mark only: parsing them all would measure this process. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { CONFIG_MAPS } from './config-maps.ts';
import type { Pair } from './pair.ts';

const MARK = /"mark":"(\d+)"/g;

export interface Watcher {
  answer: IncomingMessage;
  /** The server ended it. */
  ended(): boolean;
}

export interface WatcherOptions {
  of: 'ours' | 'bare';
  /** From which revision; of ours alone. */
  revision: string;
  onChange(mark: number): void;
}

export function openWatch(
  { controlPlane, bare, headers }: Pair,
  { of, revision, onChange }: WatcherOptions,
): Promise<Watcher> {
  const path = `${CONFIG_MAPS}?watch=true&resourceVersion=${revision}`;
  const url = of === 'ours' ? `${controlPlane.url}${path}` : `${bare.url}/?watch`;
  return new Promise((resolve, reject) => {
    const made = request(url, { headers, ca: controlPlane.ca, agent: false }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`watching: ${answer.statusCode}`));
      answer.setEncoding('latin1');
      let rest = '';
      let ended = false;
      answer.on('data', (text: string) => {
        const lines = rest + text;
        const end = lines.lastIndexOf('\n') + 1;
        rest = lines.slice(end);
        for (const [, mark] of lines.slice(0, end).matchAll(MARK)) onChange(Number(mark));
      });
      // By the server, or cut off at the end of the measurement.
      answer.on('error', () => undefined);
      answer.on('close', () => {
        ended = true;
      });
      resolve({ answer, ended: () => ended });
    });
    made.once('error', reject);
    made.end();
  });
}

export async function revisionOf({ controlPlane }: Pair): Promise<string> {
  const { body } = await controlPlane.api('GET', `${CONFIG_MAPS}?limit=1`);
  return (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}
