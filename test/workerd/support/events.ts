/** The events of a watch, one after the other, from its chunked answer. */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { KubeObject } from '../../../shared/api/meta.ts';
import { decodeMessage, openEnvelope } from '../../../worker/resources/protobuf.ts';
import { definition, schemaOfKind } from '../../../worker/resources/schemas.ts';

const STATUS = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';

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

/** The same of a watch in protobuf: frames with a big-endian length before each, a WatchEvent { type 1, object 2 { raw 1 } } in it. */
export function protobufEventsOf(response: Response): Pick<EventReader, 'next' | 'cancel'> {
  const stream = response.body?.getReader();
  let rest = new Uint8Array();
  const take = async (length: number): Promise<Uint8Array> => {
    while (rest.length < length) {
      const { done, value } = (await stream?.read()) ?? { done: true, value: undefined };
      if (done) throw new Error('the watch ended');
      const more = new Uint8Array(rest.length + value.length);
      more.set(rest);
      more.set(value, rest.length);
      rest = more;
    }
    const taken = rest.slice(0, length);
    rest = rest.slice(length);
    return taken;
  };
  return {
    async next() {
      const length = new DataView((await take(4)).slice().buffer).getUint32(0);
      const fields = fieldsOf(await take(length));
      const raw = fieldsOf(fields.get(2) ?? new Uint8Array()).get(1) ?? new Uint8Array();
      const { kind, apiVersion, raw: message } = openEnvelope(raw);
      const schema = kind === 'Status' ? definition(STATUS) : schemaOfKind(apiVersion, kind);
      if (schema === undefined) throw new Error(`unknown kind ${apiVersion} ${kind}`);
      const object = { kind, apiVersion, ...decodeMessage(message, schema) } as unknown as WatchEvent['object'];
      return { type: new TextDecoder().decode(fields.get(1)), object };
    },
    cancel: async () => {
      await stream?.cancel();
    },
  };
}

function fieldsOf(message: Uint8Array): Map<number, Uint8Array> {
  const reader = new BinaryReader(message);
  const fields = new Map<number, Uint8Array>();
  while (reader.pos < reader.len) fields.set(reader.tag()[0], reader.bytes());
  return fields;
}
