/**
 * The minion, put together from top to bottom: configuration, container engine, pod network, Services, DNS, the link to the
 * control plane, the keeper of pods. What the minion needs to go on without the control plane is on its own disk, so one
 * that starts offline brings its pods, DNS and Services back by itself; only a minion that was never welcomed has to wait.
 * SIGTERM and SIGINT end it as a restart does: containers stay, nobody is told. SIGUSR2 says goodbye to the cluster first.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type Logger, pino } from 'pino';
import { DEFAULTS, LONGSHORE_VERSION } from '../shared/defaults.ts';
import type { Welcome } from '../shared/link/protocol.ts';
import { podCertificates } from './cli/pod-certificates.ts';
import { podTokens } from './cli/pod-tokens.ts';
import type { AgentConfig } from './config.ts';
import { DnsServer } from './dns/server.ts';
import { ApiForwarder } from './link/apiserver/forwarder.ts';
import { withTrust } from './link/apiserver/trust.ts';
import type { LinkSettings, ReplicaListener } from './link/link.ts';
import { MinionLink } from './link/minion-link.ts';
import { execCommand } from './network/commands.ts';
import { FlannelNetwork } from './network/flannel.ts';
import { findNodeIP, goArchitecture, readMachine, readMachineId, resourcesOf } from './node/facts.ts';
import { kubeletEndpoints } from './node/kubelet-endpoints.ts';
import { NodeReporter } from './node/reporter.ts';
import { readHostCounters, UsageSampler } from './node/usage.ts';
import { Keeper } from './pods/keeper.ts';
import { SYSTEM_CLOCK } from './pods/parts.ts';
import { NftablesProxy } from './proxy/nftables.ts';
import type { ServiceRoute } from './proxy/proxy.ts';
import { translate } from './proxy/translate.ts';
import { createDockerRuntime } from './runtime/docker-runtime.ts';

export interface Agent {
  /** With a reason: the cluster is told that the minion goes. Containers stay either way. */
  stop(goodbye?: string): Promise<void>;
}

/** Labels that every kubelet sets. */
const ownLabels = (config: AgentConfig): Record<string, string> => ({
  'kubernetes.io/hostname': config.nodeName,
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': goArchitecture(),
  ...config.nodeLabels,
});

/** How often the certificate shown to pods is looked at; it is renewed a month before its end. */
const RENEWAL_MS = 86_400_000;

/** Resolves once pods run here (or run again). @throws when the engine cannot be reached or the cluster refuses the minion */
export async function startAgent(config: AgentConfig, log: Logger): Promise<Agent> {
  for (const folder of [config.dataDir, config.manifestDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const logTo = (part: string) => (message: string) => log.info({ part }, message);
  const failing = (what: string) => (error: unknown) =>
    log.error({ err: error }, `${what} could not be brought up to date`);
  const runtime = createDockerRuntime(config);
  const nodeIP = config.nodeIP ?? (await findNodeIP(config.server));
  const { instance } = config;
  const network = new FlannelNetwork({
    instance,
    stateDir: join(config.dataDir, 'network'),
    exec: execCommand,
    log: logTo('network'),
  });
  const proxy = new NftablesProxy({ instance, exec: execCommand, spawn, log: logTo('proxy') });
  const dns = new DnsServer({ log: logTo('dns') });

  let networkRuns = false;
  const usage = new UsageSampler({
    runtime,
    host: readHostCounters,
    now: () => Date.now(),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  const linkSettings: LinkSettings = {
    server: config.server,
    token: config.token,
    ca: config.caFile === undefined ? undefined : readFileSync(config.caFile, 'utf8'),
    nodeName: config.nodeName,
    dataDir: config.dataDir,
    agentVersion: LONGSHORE_VERSION,
    machineId: readMachineId(config.dataDir),
    endpoints: kubeletEndpoints({ nodeName: config.nodeName, report: () => usage.report() }),
    registration: () => ({
      labels: ownLabels(config),
      annotations: networkRuns ? network.annotations() : {},
      status: reporter.status(),
    }),
  };
  const link = new MinionLink(linkSettings, log.child({ part: 'link' }));
  const reporter = new NodeReporter({
    config,
    runtime,
    nodeIP,
    known: () => link.nodes().find((node) => node.metadata.name === config.nodeName),
    report: (change) => link.nodeChanged(change),
    now: () => Date.now(),
  });
  const shown = await podCertificates(config.dataDir, config.nodeName, Date.now());
  const api = new ApiForwarder({ ...linkSettings, ...shown }, log.child({ part: 'api' }));
  const renewal = setInterval(() => {
    podCertificates(config.dataDir, config.nodeName, Date.now()).then(
      ({ certificate, privateKey }) => api.renew(certificate, privateKey),
      failing('the certificate for pods'),
    );
  }, RENEWAL_MS);
  const keeper = new Keeper({
    runtime,
    network,
    references: { ...withTrust(link, shown.authority), services: () => link.services() },
    reporter: link,
    config,
    nodeIP: () => nodeIP,
    allocatable: () => resourcesOf(readMachine(config.dataDir), config.maxPods).allocatable,
    cluster: () => link.welcome()?.cluster,
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: log.child({ part: 'pods' }),
    tokens: podTokens(linkSettings),
  });

  await reporter.start();

  let apiPort = 0;
  const startNetwork = async ({ nodeCIDR, cluster }: Welcome) => {
    const localAddresses = [cluster.dnsIP, DEFAULTS.apiServiceIP];
    await network.start({ nodeCIDR, podCIDR: cluster.podCIDR, publicIP: nodeIP, localAddresses });
    networkRuns = true;
    apiPort = await api.listen(DEFAULTS.apiServiceIP);
    await proxy.start({ podCIDR: cluster.podCIDR, nodeAddresses: [], serviceCIDR: cluster.serviceCIDR });
    await dns.start({
      domain: cluster.domain,
      addresses: [cluster.dnsIP],
      port: config.dnsPort,
      upstreams: config.upstreamDns,
    });
  };
  const servicesNamed = (names: Iterable<string>) => {
    const { nodeName } = config;
    const dnsIP = link.welcome()?.cluster.dnsIP ?? DEFAULTS.dnsIP;
    const apiServer = { ip: DEFAULTS.apiServiceIP, port: apiPort };
    const routes = new Map<string, ServiceRoute[]>();
    for (const name of names) {
      const parts = link.serviceParts(name);
      const { service, slices } = parts;
      try {
        dns.update(name, parts);
        routes.set(name, service === undefined ? [] : translate(service, slices, { nodeName, dnsIP, apiServer }));
      } catch (error) {
        // One that cannot be followed must not take the others with it, nor the agent at every start.
        failing(`the Service ${name}`)(error);
      }
    }
    return routes;
  };
  const applyAll = async () => {
    await network.setPeers(link.nodes());
    await proxy.apply([...servicesNamed(link.serviceNames()).values()].flat());
  };
  const onChange: ReplicaListener = ({ parts, services }) => {
    if (parts.has('nodes')) network.setPeers(link.nodes()).catch(failing('the pod network'));
    if (services.size > 0) proxy.change(servicesNamed(services)).catch(failing('the service proxy'));
    if (parts.has('references')) keeper.referencesChanged();
    // It says something new: the epoch, when the cluster was restored.
    if (parts.has('welcome')) keeper.reportAgain();
    if (parts.has('pods')) keeper.setPods(link.pods());
  };

  const known = link.welcome();
  if (known === undefined) {
    log.info({ server: config.server }, 'joining');
    link.start(keeper);
    await link.ready();
    await startNetwork(link.welcome() ?? never('a welcome is on disk before anybody is told of it'));
    link.nodeChanged({ annotations: network.annotations() });
  } else {
    await startNetwork(known);
  }
  await applyAll();
  await keeper.start();
  keeper.setPods(link.pods());
  link.onChange(onChange);
  reporter.ready();
  if (known !== undefined) link.start(keeper);
  log.info({ node: config.nodeName, nodeIP, subnet: link.welcome()?.nodeCIDR }, 'running');

  return {
    stop: async (goodbye) => {
      reporter.stop();
      await keeper.stop();
      await link.stop(goodbye);
      clearInterval(renewal);
      await Promise.all([dns.stop(), api.close(), proxy.close()]);
      network.close();
    },
  };
}

function never(why: string): never {
  throw new Error(why);
}

/** The process' own main: runs until a signal ends it. */
export async function runAgent(config: AgentConfig): Promise<void> {
  const log = pino({ level: config.logLevel, base: undefined });
  const { promise: told, resolve: tell } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const) process.on(signal, () => tell(signal));
  const starting = startAgent(config, log);
  const first = await Promise.race([starting, told]);
  // A signal during the start: what is half started holds nothing that a restart would miss.
  if (typeof first === 'string') process.exit(0);
  const signal = await told;
  log.info({ signal }, 'ending; containers stay');
  await first.stop(signal === 'SIGUSR2' ? 'the minion was taken down' : undefined);
  process.exit(0);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (values.config === undefined) throw new Error('usage: agent/main.ts --config FILE');
  try {
    await runAgent(JSON.parse(readFileSync(values.config, 'utf8')) as AgentConfig);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
}
