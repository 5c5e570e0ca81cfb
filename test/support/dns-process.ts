/** A DnsServer in a process of its own, so that it can run inside a test host: what it serves comes as one line of JSON. */
import { createInterface } from 'node:readline';
import type { DnsSettings } from '../../agent/dns/dns.ts';
import { DnsServer } from '../../agent/dns/server.ts';
import type { Service } from '../../shared/api/core.ts';
import type { EndpointSlice } from '../../shared/api/discovery.ts';
import { partsByName } from './service-objects.ts';

export interface DnsProcessInput {
  settings: DnsSettings;
  services: Service[];
  slices: EndpointSlice[];
}

const server = new DnsServer({ log: (message) => process.stderr.write(`${message}\n`) });
let started = false;
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { settings, services, slices } = JSON.parse(line) as DnsProcessInput;
  for (const [name, known] of partsByName(services, slices)) server.update(name, known);
  if (!started) await server.start(settings);
  started = true;
  process.stdout.write('serving\n');
});
process.stdin.on('end', () => process.exit(0));
