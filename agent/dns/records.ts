/**
 * The cluster's zone: every record that Services and EndpointSlices call for, by name, ready to be answered. Pure.
 * How a question is answered from it is `lookup.ts`.
 * Source: https://github.com/kubernetes/dns/blob/master/docs/specification.md (version 1.1.0)
 */
import type { Service, ServicePort } from '../../shared/api/core.ts';
import type { Endpoint, EndpointSlice } from '../../shared/api/discovery.ts';
import type { DnsService } from './dns.ts';

export const TTL_SECONDS = 5;

export type ZoneRecord =
  | { type: 'A' | 'AAAA' | 'PTR' | 'NS'; data: string }
  | { type: 'CNAME'; data: string }
  | { type: 'SRV'; data: { priority: number; weight: number; port: number; target: string } }
  | { type: 'TXT'; data: string };

export interface Zone {
  /** Lower case, no final dot. */
  domain: string;
  /** Of a lower-case name. A name with none exists all the same (names below it do): NODATA, not NXDOMAIN. */
  recordsOf(name: string): readonly ZoneRecord[] | undefined;
}

type Names = Map<string, ZoneRecord[]>;

/** Follows Services one by one: a change of one costs that one's names, however many others there are. */
export class ServiceZone implements Zone {
  readonly domain: string;
  /** What each Service calls for. */
  readonly #names = new Map<string, Names>();
  /** Name → the Services that call for it. */
  readonly #holders = new Map<string, Set<string>>();

  constructor(domain: string) {
    this.domain = domain;
    this.#hold(OWN, namesOfZone(domain));
  }

  /** @param name `namespace/name` */
  set(name: string, { service, slices }: DnsService): void {
    for (const each of this.#names.get(name)?.keys() ?? []) {
      const holders = this.#holders.get(each);
      holders?.delete(name);
      if (holders?.size === 0) this.#holders.delete(each);
    }
    this.#names.delete(name);
    if (service !== undefined) this.#hold(name, namesOf(this.domain, service, slices));
  }

  recordsOf(name: string): readonly ZoneRecord[] | undefined {
    const holders = this.#holders.get(name);
    if (holders === undefined) return undefined;
    const records: ZoneRecord[] = [];
    for (const each of holders) for (const record of this.#names.get(each)?.get(name) ?? []) addOnce(records, record);
    return records;
  }

  #hold(holder: string, names: Names): void {
    this.#names.set(holder, names);
    for (const name of names.keys()) {
      const holders = this.#holders.get(name) ?? new Set<string>();
      this.#holders.set(name, holders.add(holder));
    }
  }
}

/** Holds what is there without any Service. No Service has this name. */
const OWN = '';

function namesOfZone(domain: string): Names {
  const names: Names = new Map();
  for (const name of [domain, `svc.${domain}`, `pod.${domain}`]) names.set(name, []);
  add(names, domain, domain, { type: 'NS', data: `ns.dns.${domain}` });
  add(names, domain, `dns-version.${domain}`, { type: 'TXT', data: '1.1.0' });
  return names;
}

function namesOf(domain: string, service: Service, slices: readonly EndpointSlice[]): Names {
  const { name, namespace } = service.metadata;
  const host = `${name}.${namespace}.svc.${domain}`;
  const ips = clusterIPsOf(service);
  // The namespace has a name even where its Services have none.
  const names: Names = new Map([[`${namespace}.svc.${domain}`, []]]);
  if (service.spec.type === 'ExternalName') {
    const target = (service.spec.externalName ?? '').replace(/\.$/, '');
    if (target !== '') add(names, domain, host, { type: 'CNAME', data: target });
  } else if (ips.length > 0) {
    addClusterIPs(names, domain, host, service, ips);
  } else if (service.spec.clusterIP === 'None') {
    for (const slice of slices) addHeadless(names, domain, host, service, slice);
  }
  return names;
}

const clusterIPsOf = ({ spec }: Service): string[] =>
  (spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None');

function addClusterIPs(names: Names, domain: string, host: string, service: Service, ips: readonly string[]): void {
  for (const ip of ips) {
    add(names, domain, host, addressRecord(ip));
    const reverse = reverseNameOf(ip);
    if (reverse !== undefined) add(names, domain, reverse, { type: 'PTR', data: host });
  }
  for (const port of service.spec.ports ?? []) addPort(names, domain, host, port, port.port, host);
}

function addHeadless(names: Names, domain: string, host: string, service: Service, slice: EndpointSlice): void {
  if (slice.addressType === 'FQDN') return;
  for (const endpoint of slice.endpoints ?? []) {
    if (endpoint.conditions?.ready === false && service.spec.publishNotReadyAddresses !== true) continue;
    const own = `${hostnameOf(endpoint)}.${host}`;
    for (const ip of endpoint.addresses) {
      add(names, domain, host, addressRecord(ip));
      add(names, domain, own, addressRecord(ip));
      const reverse = reverseNameOf(ip);
      if (reverse !== undefined) add(names, domain, reverse, { type: 'PTR', data: own });
    }
    for (const port of slice.ports ?? []) {
      if (port.port !== undefined) addPort(names, domain, host, port, port.port, own);
    }
  }
}

/** Named ports only. */
function addPort(
  names: Names,
  domain: string,
  host: string,
  { name, protocol = 'TCP' }: Pick<ServicePort, 'name' | 'protocol'>,
  port: number,
  target: string,
): void {
  if (name === undefined || name === '') return;
  const data = { priority: 0, weight: 100, port, target };
  add(names, domain, `_${name}._${protocol.toLowerCase()}.${host}`, { type: 'SRV', data });
}

/** Without a hostname: the address with dashes, which is unique within the Service. */
const hostnameOf = (endpoint: Endpoint): string =>
  endpoint.hostname || (endpoint.addresses[0] ?? '').replaceAll(/[.:]/g, '-');

const addressRecord = (ip: string): ZoneRecord => ({ type: ip.includes(':') ? 'AAAA' : 'A', data: ip });

/** IPv4 only: clusters here have no IPv6 pods. */
function reverseNameOf(ip: string): string | undefined {
  return ip.includes(':') ? undefined : `${ip.split('.').reverse().join('.')}.in-addr.arpa`;
}

/** Adds a record once, and makes the names between it and the zone exist. */
function add(names: Names, domain: string, name: string, record: ZoneRecord): void {
  const key = name.toLowerCase();
  const records = names.get(key);
  if (records !== undefined) {
    addOnce(records, record);
    return;
  }
  names.set(key, [record]);
  if (key.endsWith(`.${domain}`)) addAncestors(names, domain, key);
}

function addOnce(records: ZoneRecord[], record: ZoneRecord): void {
  const text = JSON.stringify(record);
  if (!records.some((each) => JSON.stringify(each) === text)) records.push(record);
}

function addAncestors(names: Names, domain: string, name: string): void {
  for (
    let parent = name.slice(name.indexOf('.') + 1);
    parent !== domain;
    parent = parent.slice(parent.indexOf('.') + 1)
  ) {
    if (names.has(parent)) return;
    names.set(parent, []);
  }
}
