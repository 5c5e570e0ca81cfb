/** A question answered from the cluster's zone. Pure; names on the wire and sockets are elsewhere. */
import { TTL_SECONDS, type Zone, type ZoneRecord } from './records.ts';

export interface Soa {
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}

/** A resource record as `dns-packet` takes it, name spelt as asked. */
export type Answer = { name: string; ttl: number } & (ZoneRecord | { type: 'SOA'; data: Soa });

export interface Lookup {
  rcode: 'NOERROR' | 'NXDOMAIN';
  answers: Answer[];
  /** The SOA, with an answer that says "none": it tells how long that may be believed. */
  authorities: Answer[];
  /** Addresses of SRV targets. */
  additionals: Answer[];
  /** A CNAME leads out of the zone: whoever asks for addresses wants this looked up as well. */
  chase?: string;
}

const MAX_ALIASES = 8;

/** undefined: not the cluster's to answer. */
export function lookup(zone: Zone, name: string, type: string): Lookup | undefined {
  const key = name.toLowerCase().replace(/\.$/, '');
  const inZone = key === zone.domain || key.endsWith(`.${zone.domain}`);
  const records = zone.recordsOf(key) ?? podRecords(zone, key);
  if (!inZone && records === undefined) return undefined;
  if (records === undefined) return none(zone, 'NXDOMAIN');

  const found = answersIn(zone, key, name, type);
  if (found.answers.length === 0) return none(zone, 'NOERROR');
  const targets = new Set(found.answers.flatMap((answer) => (answer.type === 'SRV' ? [answer.data.target] : [])));
  const additionals = [...targets].flatMap((target) => addressesOf(zone, target));
  return { rcode: 'NOERROR', ...found, authorities: [], additionals };
}

/** Follows aliases as far as they stay in the zone. */
function answersIn(zone: Zone, first: string, asked: string, type: string): { answers: Answer[]; chase?: string } {
  const answers: Answer[] = [];
  let key = first;
  let owner = asked;
  for (let hop = 0; hop < MAX_ALIASES; hop += 1) {
    const records = zone.recordsOf(key) ?? podRecords(zone, key) ?? [];
    const matching = records.filter((record) => record.type === type || type === 'ANY');
    answers.push(...matching.map((record) => ({ name: owner, ttl: TTL_SECONDS, ...record })));
    if (key === zone.domain && (type === 'SOA' || type === 'ANY')) answers.push(soaOf(zone));
    const alias = records.find((record) => record.type === 'CNAME');
    if (alias === undefined || type === 'CNAME' || type === 'ANY') return { answers };
    answers.push({ name: owner, ttl: TTL_SECONDS, ...alias });
    owner = alias.data;
    key = alias.data.toLowerCase();
    if (key !== zone.domain && !key.endsWith(`.${zone.domain}`)) return { answers, chase: alias.data };
  }
  return { answers };
}

function addressesOf(zone: Zone, target: string): Answer[] {
  const records = zone.recordsOf(target.toLowerCase()) ?? [];
  return records
    .filter((record) => record.type === 'A' || record.type === 'AAAA')
    .map((record) => ({ name: target, ttl: TTL_SECONDS, ...record }));
}

const none = (zone: Zone, rcode: Lookup['rcode']): Lookup => ({
  rcode,
  answers: [],
  authorities: [soaOf(zone)],
  additionals: [],
});

/** No serial is kept: nobody transfers this zone, and nothing in it is believed for longer than its TTL. */
const soaOf = (zone: Zone): Answer => ({
  name: zone.domain,
  type: 'SOA',
  ttl: TTL_SECONDS,
  data: {
    mname: `ns.dns.${zone.domain}`,
    rname: `hostmaster.${zone.domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: TTL_SECONDS,
  },
});

/** `10-244-1-3.NAMESPACE.pod.DOMAIN`: the address is in the name, so any is answered (CoreDNS' `pods insecure`). */
function podRecords(zone: Zone, key: string): readonly ZoneRecord[] | undefined {
  const suffix = `.pod.${zone.domain}`;
  if (!key.endsWith(suffix)) return undefined;
  const labels = key.slice(0, -suffix.length).split('.');
  if (labels.length === 1) return [];
  const match = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(labels[0] ?? '');
  if (labels.length !== 2 || match === null) return undefined;
  const bytes = match.slice(1);
  return bytes.every((byte) => Number(byte) < 256) ? [{ type: 'A', data: bytes.map(Number).join('.') }] : undefined;
}
