/** Upstream servers: from the configuration, or from the host's resolv.conf, which is read again when it changes. */
import { readFile } from 'node:fs/promises';
import type { Upstream } from './forwarder.ts';

const CHECK_EVERY_MS = 5000;

/** `ip`, `ip:port`, `[ip6]:port` or `ip6`. @throws on anything else. */
export function parseUpstream(text: string): Upstream {
  const match =
    /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? match?.[3];
  if (address === undefined) throw new Error(`not the address of a DNS server: ${text}`);
  return { address, port: Number(match?.[4] ?? 53) };
}

/** The `nameserver` lines, but none of our own addresses: that would be asking ourselves. */
export function upstreamsIn(resolvConf: string, own: readonly string[]): Upstream[] {
  return [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => match[1] ?? '')
    .filter((address) => !own.includes(address) && /^[0-9a-fA-F:.]+$/.test(address))
    .map((address) => ({ address, port: 53 }));
}

export function upstreamSource(options: {
  configured: readonly string[];
  own: readonly string[];
  path?: string;
  now: () => number;
}): () => Promise<Upstream[]> {
  const { configured, own, path = '/etc/resolv.conf', now } = options;
  if (configured.length > 0) {
    const parsed = configured.map(parseUpstream);
    return () => Promise.resolve(parsed);
  }
  let checkedMs = Number.NEGATIVE_INFINITY;
  let current: Promise<Upstream[]> = Promise.resolve([]);
  return () => {
    if (now() - checkedMs >= CHECK_EVERY_MS) {
      checkedMs = now();
      current = readFile(path, 'utf8').then(
        (text) => upstreamsIn(text, own),
        // No such file: a host without DNS.
        () => [],
      );
    }
    return current;
  };
}
