import { describe, expect, test } from 'vitest';
import {
  chooseSubprotocol,
  decodeChannelMessage,
  encodeChannelMessage,
  LOG_PROTOCOLS,
  PORT_PROTOCOLS,
  type Subprotocol,
  TERMINAL_PROTOCOLS,
} from '../../../../worker/http/streams/subprotocols.ts';

const offering = (protocols?: string) =>
  new Request('https://api.test/', { headers: protocols === undefined ? {} : { 'sec-websocket-protocol': protocols } });
const terminal = (name: string): Subprotocol => {
  const found = TERMINAL_PROTOCOLS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no protocol ${name}`);
  return found;
};
const buffer = (...bytes: number[]) => Uint8Array.from(bytes).buffer;

describe('the subprotocol', () => {
  test.each([
    ['kubectl', 'v5.channel.k8s.io', 'v5.channel.k8s.io'],
    ['a JavaScript client', 'v5.channel.k8s.io, v4.channel.k8s.io,v3.channel.k8s.io', 'v5.channel.k8s.io'],
    ['a Python client', 'v4.channel.k8s.io', 'v4.channel.k8s.io'],
    [
      'a browser that sends its token',
      'base64url.bearer.authorization.k8s.io.dG9r, v4.base64.channel.k8s.io',
      'v4.base64.channel.k8s.io',
    ],
    ['a client that prefers what is not spoken here', 'v9.channel.k8s.io, channel.k8s.io', 'channel.k8s.io'],
    ['a client that offers none', undefined, ''],
  ])('of %s is the first that both speak', (_client, offered, chosen) => {
    expect(chooseSubprotocol(offering(offered), TERMINAL_PROTOCOLS).name).toBe(chosen);
  });

  test('is refused by name when there is none in common', () => {
    expect(() => chooseSubprotocol(offering('soap'), LOG_PROTOCOLS)).toThrow(/soap is supported; supported are binary/);
  });

  test('of port-forward is kubectl’s SPDY tunnel where it is offered', () => {
    expect(chooseSubprotocol(offering('SPDY/3.1+portforward.k8s.io'), PORT_PROTOCOLS).name).toBe(
      'SPDY/3.1+portforward.k8s.io',
    );
  });
});

describe('a message', () => {
  test('of a binary protocol is its channel and its bytes', () => {
    const message = decodeChannelMessage(terminal('v4.channel.k8s.io'), buffer(0, 104, 105));
    expect(message).toEqual({ type: 'data', channel: 0, bytes: Uint8Array.of(104, 105) });
    expect(encodeChannelMessage(terminal('v4.channel.k8s.io'), 3, Uint8Array.of(7))).toEqual(Uint8Array.of(3, 7));
  });

  test('of a base64 protocol has a digit for its channel', () => {
    const protocol = terminal('v4.base64.channel.k8s.io');
    expect(decodeChannelMessage(protocol, `0${btoa('hi')}`)).toEqual({
      type: 'data',
      channel: 0,
      bytes: Uint8Array.of(104, 105),
    });
    expect(encodeChannelMessage(protocol, 1, Uint8Array.of(0, 255))).toBe(`1${btoa('\u0000\u00ff')}`);
    expect(() => decodeChannelMessage(protocol, '0***')).toThrow('not base64');
  });

  test('half-closes a channel in v5 only', () => {
    expect(decodeChannelMessage(terminal('v5.channel.k8s.io'), buffer(255, 0))).toEqual({ type: 'end', channel: 0 });
    expect(decodeChannelMessage(terminal('v4.channel.k8s.io'), buffer(255, 0))).toMatchObject({ channel: 255 });
  });

  test.each([
    ['empty', buffer()],
    ['a channel alone', buffer(0)],
  ])('that is %s says nothing', (_what, message) => {
    expect(decodeChannelMessage(terminal('v5.channel.k8s.io'), message)).toEqual({ type: 'nothing' });
  });
});
