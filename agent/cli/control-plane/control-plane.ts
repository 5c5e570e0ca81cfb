/**
 * The control plane as a process of this machine: secrets, certificates, bundle and configuration are made ready on disk,
 * then workerd runs them. What the Worker does is not here; what else runs beside it is `../supervisor.ts`.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from '../api-client.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { readAuditPolicy } from '../audit/policy-file.ts';
import { bundleWorker } from './bundle.ts';
import { ensureCertificates } from './certificates.ts';
import { type SocketAddress, socketArguments } from './held-sockets.ts';
import { apiServerNames, hostAddresses } from './host-names.ts';
import { KeptProcess } from './kept-process.ts';
import { type Layout, layoutOf } from './layout.ts';
import { requireFreePort } from './ports.ts';
import { writeSecretFile } from './secret-file.ts';
import { readCompatibility, workerdConfig } from './workerd-config.ts';

/** The folder of package.json. */
export const PROJECT = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');

export interface ControlPlaneSettings {
  dataDir: string;
  /** Addresses to serve besides 127.0.0.1; `0.0.0.0` or `::` for all. */
  listen: readonly string[];
  apiPort: number;
  publicPort: number;
  /** How public Services are addressed; undefined: `http://{name}.{namespace}.localhost:PORT`. */
  publicUrl?: string;
  /** undefined: `audit-policy.yaml` of the data directory, when it is there. */
  auditPolicyFile?: string;
}

export const CONTROL_PLANE_DEFAULTS = { listen: [], apiPort: 6443, publicPort: 8080 } as const;

/** workerd drains for ever while a watch is open, so the grace period is what every stop takes. */
const GRACE_MS = 1_000;
const READY_MS = 30_000;

export const apiUrlOf = (settings: Pick<ControlPlaneSettings, 'apiPort'>) => `https://127.0.0.1:${settings.apiPort}`;
export const publicUrlOf = (settings: Pick<ControlPlaneSettings, 'publicPort' | 'publicUrl'>) =>
  settings.publicUrl ?? `http://{name}.{namespace}.localhost:${settings.publicPort}`;

const isWildcard = (address: string) => address === '0.0.0.0' || address === '::';

function addressesOf(listen: readonly string[]): string[] {
  const wildcard = listen.find(isWildcard);
  return wildcard === undefined ? [...new Set(['127.0.0.1', ...listen])] : [wildcard];
}

/** What `default/kubernetes` leads to: the first address that is served and that others can reach. */
export function apiAddressOf(
  { listen, apiPort }: Pick<ControlPlaneSettings, 'listen' | 'apiPort'>,
  own: readonly string[] = hostAddresses(),
): string | undefined {
  const named = listen.filter((address) => !isWildcard(address) && !address.startsWith('127.') && address !== '::1');
  const [address] = named.length > 0 ? named : listen.some(isWildcard) ? own : [];
  return address === undefined ? undefined : socketAt(address, apiPort);
}

const socketAt = (address: string, port: number) =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

interface OwnSocket extends SocketAddress {
  what: string;
  flag: string;
}

/** Every socket that the control plane is to have, the API's first. */
function socketsOf({ listen, apiPort, publicPort }: ControlPlaneSettings): OwnSocket[] {
  const addresses = addressesOf(listen);
  const named = (kind: string, port: number, what: string, flag: string) =>
    addresses.map((address, index) => ({ name: `${kind}-${index}`, address, port, what, flag }));
  return [
    ...named('api', apiPort, 'the API', '--api-port'),
    ...named('public', publicPort, 'public Services', '--public-port'),
  ];
}

/** The same, each found to be free. @throws PortInUse */
export async function freeSockets(settings: ControlPlaneSettings): Promise<SocketAddress[]> {
  const sockets = socketsOf(settings);
  for (const { address, port, what, flag } of sockets) await requireFreePort(address, port, what, flag);
  return sockets;
}

/** The root secret, made at the first start. Every token is signed with a key derived from it. */
export function ensureRootSecret(layout: Layout): string {
  mkdirSync(layout.dataDir, { recursive: true, mode: 0o700 });
  if (!existsSync(layout.rootSecret)) writeSecretFile(layout.rootSecret, randomBytes(32).toString('base64url'));
  return readFileSync(layout.rootSecret, 'utf8');
}

/** Everything that workerd needs, on disk. */
async function prepare(
  settings: ControlPlaneSettings,
  layout: Layout,
  nowMs: number,
  auditPolicy: string | undefined,
): Promise<void> {
  ensureRootSecret(layout);
  for (const folder of [layout.objects, layout.run, layout.logs]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  await ensureCertificates(layout, apiServerNames(settings.listen), nowMs);
  const bundlePath = await bundleWorker(PROJECT, layout.bundles);
  const addresses = addressesOf(settings.listen);
  const config = workerdConfig(layout, {
    compatibility: readCompatibility(readFileSync(join(PROJECT, 'wrangler.toml'), 'utf8')),
    bundlePath,
    assetsPath: join(PROJECT, 'worker/public'),
    apiSockets: addresses.map((address) => socketAt(address, settings.apiPort)),
    publicSockets: addresses.map((address) => socketAt(address, settings.publicPort)),
    apiUrl: apiUrlOf(settings),
    apiAddress: apiAddressOf(settings),
    publicUrl: publicUrlOf(settings),
    auditPolicy,
  });
  writeSecretFile(layout.workerdConfig, config);
}

export class ControlPlane {
  readonly settings: ControlPlaneSettings;
  readonly layout: Layout;
  readonly #workerd: KeptProcess;
  /** An audit policy as JSON, read once: what is started again stays as it was. */
  readonly #auditPolicy: string | undefined;
  readonly #holdsSockets: boolean;
  #isPrepared = false;

  /**
   * @param descriptors of its sockets when this process was started with them; none: workerd opens them
   * @throws with the reason for an audit policy that is none.
   */
  constructor(
    settings: ControlPlaneSettings,
    onCrash?: (how: string, retryMs: number) => void,
    descriptors: readonly number[] = [],
  ) {
    this.settings = settings;
    this.layout = layoutOf(settings.dataDir);
    this.#holdsSockets = descriptors.length > 0;
    const names = socketsOf(settings).map(({ name }) => name);
    if (this.#holdsSockets && descriptors.length !== names.length)
      throw new Error(`the control plane has ${names.length} sockets and was started with ${descriptors.length}`);
    this.#auditPolicy = readAuditPolicy(this.layout, settings.auditPolicyFile);
    const audit = new AuditLog(this.layout.auditLog);
    this.#workerd = new KeptProcess({
      name: 'control plane',
      command: join(PROJECT, 'node_modules/.bin/workerd'),
      args: ['serve', this.layout.workerdConfig, ...(this.#holdsSockets ? socketArguments(names) : [])],
      descriptors,
      logPath: join(this.layout.logs, 'control-plane.log'),
      pidPath: this.layout.workerdPid,
      graceMs: GRACE_MS,
      ...(this.#auditPolicy === undefined ? {} : { onLine: (line) => audit.take(line) }),
      onCrash,
    });
  }

  get pid(): number | undefined {
    return this.#workerd.pid;
  }

  get url(): string {
    return apiUrlOf(this.settings);
  }

  /** A client without credentials, for health. */
  client(): ApiClient {
    return new ApiClient({ url: this.url, ca: readFileSync(this.layout.caCertificate, 'utf8') });
  }

  /** All of a start that can be done while another one still serves. @throws when this code cannot be made ready. */
  async prepare(): Promise<void> {
    await prepare(this.settings, this.layout, Date.now(), this.#auditPolicy);
    this.#isPrepared = true;
  }

  /** Resolves once the API says that it is ready. @throws with the end of workerd's log when it does not come up. */
  async start(): Promise<void> {
    if (!this.#holdsSockets) await freeSockets(this.settings);
    if (!this.#isPrepared) await this.prepare();
    this.#isPrepared = false;
    this.#workerd.start();
    await this.#ready();
  }

  async #ready(): Promise<void> {
    const client = this.client();
    const deadline = Date.now() + READY_MS;
    let last = 'no answer yet';
    try {
      while (Date.now() < deadline) {
        if (!this.#workerd.running) break;
        try {
          const answer = await client.request('GET', '/readyz');
          if (answer.status === 200) return;
          last = `/readyz answered ${answer.status}: ${answer.body.toString('utf8').slice(0, 300)}`;
        } catch (error) {
          last = error instanceof Error ? error.message : String(error);
        }
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    } finally {
      client.close();
    }
    const why = this.#workerd.running ? last : `workerd ${this.#workerd.lastExit}`;
    await this.#workerd.stop();
    throw new Error(`the control plane did not come up: ${why}\n${this.logTail()}`);
  }

  logTail(lines = 20): string {
    const path = join(this.layout.logs, 'control-plane.log');
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';
  }

  async stop(): Promise<void> {
    await this.#workerd.stop();
  }

  /** Ends workerd as a crash would, and leaves it so until `start`. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    await this.#workerd.kill(signal);
  }
}
