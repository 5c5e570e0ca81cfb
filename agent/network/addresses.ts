/** IPv4 arithmetic on the text forms that Kubernetes and `ip` use. Pure. */

export interface Cidr {
  /** Network address as an unsigned 32-bit number. */
  base: number;
  prefix: number;
  /** How many addresses. */
  size: number;
}

/** @throws when it is not dotted IPv4. */
export function parseIPv4(text: string): number {
  const parts = text.split('.');
  const bytes = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) throw new Error(`not an IPv4 address: ${text}`);
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

export const formatIPv4 = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** @throws when it is not `a.b.c.d/n`; host bits are dropped. */
export function parseCidr(text: string): Cidr {
  const [address = '', length = ''] = text.split('/');
  const prefix = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefix > 32) throw new Error(`not an IPv4 network: ${text}`);
  const size = 2 ** (32 - prefix);
  const number = parseIPv4(address);
  return { base: number - (number % size), prefix, size };
}

export const contains = (cidr: Cidr, address: number): boolean =>
  address >= cidr.base && address < cidr.base + cidr.size;

/** The gateway of a node's subnet: the bridge's own address. */
export const gatewayOf = (cidr: Cidr): string => formatIPv4(cidr.base + 1);

/** A MAC that follows from the address (as CNI's bridge does), so a reused address never meets a stale neighbour entry. */
export function macOf(ip: string): string {
  const bytes = ip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['0a', '58', ...bytes].join(':');
}
