/**
 * The `longshore` command line: which commands there are and what their flags mean. What each does is in `commands/`, each
 * loaded only when it is asked for, so that a small one answers at once; what
 * has to be on the machine before is seen to by `longshore.mjs`, which runs this file on the pinned Node.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LONGSHORE_VERSION } from '../../shared/defaults.ts';
import type { AgentConfig } from '../config.ts';
import { readMachineId } from '../node/facts.ts';
import type { ApiClient } from './api-client.ts';
import { clientOf, clusterClient, readKubeconfig } from './cluster-access.ts';
import { hostAddresses } from './control-plane/host-names.ts';
import { DEFAULT_DATA_DIR, layoutOf } from './control-plane/layout.ts';
import { type Flags, readKeptSettings, resolveSettings, type Settings } from './settings.ts';
import { adminToken, joinToken, minionToken } from './tokens.ts';

interface GivenFlags {
  dataDir: string;
  apiPort?: number;
  publicPort?: number;
  listen?: string[];
  publicUrl?: string;
  auditPolicyFile?: string;
  nodeName?: string;
  nodeIp?: string;
  dockerSocket?: string;
  instance?: string;
  dnsPort?: number;
  manifestDir?: string;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw new InvalidArgumentError('a port is 1 to 65535.');
  return value;
}

const gather = (address: string, before: string[] = []) => [...before, address];

const dataDirOption = () =>
  new Option('--data-dir <folder>', 'where everything is kept').env('LONGSHORE_DATA_DIR').default(DEFAULT_DATA_DIR);
/** Read by longshore.mjs, before this file runs; here for the help text. */
const noInstallOption = () => new Option('--no-install', 'install nothing: say what is missing and end');

function withMinionOptions(command: Command): Command {
  return command
    .addOption(dataDirOption())
    .addOption(noInstallOption())
    .option('--node-name <name>', 'name of this minion (default: the host name)')
    .option('--node-ip <address>', 'address by which other minions reach this one (default: found)')
    .option('--docker-socket <path>', 'the Docker engine to run pods on')
    .option('--instance <name>', 'told apart from other minions on the same engine by this')
    .option('--dns-port <port>', 'port of the cluster DNS', port)
    .option('--manifest-dir <folder>', 'pods from manifest files in this folder');
}

function withControlPlaneOptions(command: Command): Command {
  return withMinionOptions(command)
    .option('--detach', 'return once all is up; `longshore down` ends it')
    .option('--listen <address>', 'serve other machines at this address too (may be repeated; 0.0.0.0 for all)', gather)
    .option('--api-port <port>', 'port of the API (default: 6443)', port)
    .option('--public-port <port>', 'port of public Services (default: 8080)', port)
    .option('--audit-policy-file <file>', 'what to log of requests (default: audit-policy.yaml in the data directory)')
    .option('--public-url <url>', 'how public Services are addressed, with {name} and {namespace}');
}

function settingsFrom(given: GivenFlags): Settings {
  const flags: Flags = {
    apiPort: given.apiPort,
    publicPort: given.publicPort,
    listen: given.listen,
    publicUrl: given.publicUrl,
    auditPolicyFile: given.auditPolicyFile === undefined ? undefined : resolve(given.auditPolicyFile),
    minion: {
      nodeName: given.nodeName,
      nodeIP: given.nodeIp,
      dockerSocket: given.dockerSocket,
      instance: given.instance,
      dnsPort: given.dnsPort,
      manifestDir: given.manifestDir,
    },
  };
  return resolveSettings(given.dataDir, readKeptSettings(given.dataDir), flags);
}

const program = new Command('longshore')
  .description('A Kubernetes control plane that nobody has to run.')
  .version(LONGSHORE_VERSION);

type StartFlags = GivenFlags & { detach?: boolean };

async function startWith(given: StartFlags, example: boolean): Promise<void> {
  const { start } = await import('./commands/start.ts');
  const settings = settingsFrom(given);
  if (settings.minion.server !== undefined) {
    const { dataDir, minion } = settings;
    throw new Error(
      `${dataDir} belongs to a minion of ${minion.server}: \`longshore down --purge\` leaves it, or take another --data-dir`,
    );
  }
  await start(settings, { detach: given.detach === true, example });
}

withControlPlaneOptions(program.command('start'))
  .description('control plane, a minion on this machine, and the example; in the foreground unless detached')
  .action((given: StartFlags) => startWith(given, true));

withControlPlaneOptions(program.command('up'))
  .description('as start, without the example')
  .action((given: StartFlags) => startWith(given, false));

program
  .command('supervise', { hidden: true })
  .addOption(dataDirOption())
  .option('--sockets <count>', 'so many listening sockets came with this process', Number)
  .option('--after <pid>', 'ends that supervisor once all is ready to follow it', Number)
  .action(async (given: GivenFlags & { sockets?: number; after?: number }) => {
    const { supervise } = await import('./commands/supervise.ts');
    const { inheritedSockets } = await import('./control-plane/held-sockets.ts');
    await supervise(settingsFrom(given), inheritedSockets(given.sockets ?? 0), given.after);
  });

program
  .command('upgrade')
  .description('put the version of this clone in the place of what runs; pods go on running')
  .addOption(dataDirOption())
  .addOption(noInstallOption())
  .action(async (given: GivenFlags) => {
    const { upgrade } = await import('./commands/upgrade.ts');
    await upgrade(settingsFrom(given));
  });

program
  .command('down')
  .description('end what start, up or join began; pods go on running')
  .addOption(dataDirOption())
  .option('--purge', 'also remove pods, networks, rules and files: everything')
  .action(async (given: GivenFlags & { purge?: boolean }) => {
    const { down } = await import('./commands/down.ts');
    await down(settingsFrom(given), { purge: given.purge === true });
  });

program
  .command('kubeconfig')
  .description('print the kubeconfig of the administrator')
  .addOption(dataDirOption())
  .action((given: GivenFlags) => {
    process.stdout.write(readKubeconfig(layoutOf(given.dataDir)));
  });

program
  .command('status')
  .description('what runs here')
  .addOption(dataDirOption())
  .action(async (given: GivenFlags) => {
    const { status } = await import('./commands/status.ts');
    process.exitCode = await status(settingsFrom(given));
  });

interface AuditFlags extends GivenFlags {
  follow?: boolean;
  output?: string;
  user?: string;
  verb?: string;
  resource?: string;
  namespace?: string;
}

program
  .command('audit')
  .description('who did what: the audit log of the control plane on this machine')
  .addOption(dataDirOption())
  .option('-f, --follow', 'go on as more comes')
  .addOption(new Option('-o, --output <form>', 'json: whole events').choices(['json']))
  .option('--user <name>', 'of this user alone')
  .option('--verb <verb>', 'get, list, create …')
  .option('--resource <resource>', 'pods, pods/log, deployments.apps …')
  .option('--namespace <name>', 'in this namespace alone')
  .action(async (given: AuditFlags) => {
    const { audit } = await import('./commands/audit.ts');
    const options = { ...given, follow: given.follow === true, json: given.output === 'json' };
    await audit(layoutOf(given.dataDir), options, print);
  });

interface ClusterFlags extends GivenFlags {
  kubeconfig?: string;
}

const withClusterOptions = (command: Command): Command =>
  command
    .addOption(dataDirOption())
    .option('--kubeconfig <file>', 'of a cluster elsewhere (default: the cluster of the data directory)');

async function withCluster<T>(
  { dataDir, kubeconfig }: ClusterFlags,
  body: (client: ApiClient) => Promise<T>,
): Promise<T> {
  const client =
    kubeconfig === undefined
      ? clusterClient(layoutOf(dataDir))
      : clientOf(readFileSync(kubeconfig, 'utf8'), kubeconfig);
  try {
    return await body(client);
  } finally {
    client.close();
  }
}

withClusterOptions(program.command('backup <file>'))
  .description('write the whole cluster, as it is now, to a file; it goes on meanwhile')
  .action(async (file: string, given: ClusterFlags) => {
    const { backup } = await import('./commands/backup.ts');
    const { header, end } = await withCluster(given, (client) => backup(client, file));
    print(
      `${file}: ${end.objects} objects and ${end.keys} keys of cluster ${header.cluster}, revision ${header.revision}`,
    );
  });

interface RestoreFlags extends ClusterFlags {
  at?: string;
  fromAnyCluster?: boolean;
}

withClusterOptions(program.command('restore [file]'))
  .description('make the cluster what a backup says, or what it was at a time; everybody connected comes anew')
  .option('--at <time>', 'on Cloudflare: as it was then, in the last 30 days (RFC 3339)')
  .option('--from-any-cluster', 'the backup may be of another cluster, or of one that this took the place of')
  .action(async (file: string | undefined, given: RestoreFlags) => {
    const { restore, restoreAt } = await import('./commands/restore.ts');
    const { at } = given;
    if ((file === undefined) === (at === undefined)) throw new Error('say what to restore: a FILE, or --at TIME');
    if (at !== undefined) {
      const { revision } = await withCluster(given, (client) => restoreAt(client, at));
      return print(`the cluster is as it was at ${at}; it goes on from revision ${revision}`);
    }
    const options = { anyCluster: given.fromAnyCluster === true };
    const restored = await withCluster(given, (client) => restore(client, file ?? '', options));
    print(
      `${restored.objects} objects and ${restored.keys} keys are back; the cluster goes on from revision ${restored.revision}`,
    );
  });

interface JoinFlags extends GivenFlags {
  server: string;
  token: string;
  caFile?: string;
  caHash?: string;
  detach?: boolean;
}

withMinionOptions(program.command('join'))
  .description('make this machine a minion of a control plane elsewhere')
  .requiredOption('--server <url>', 'the cluster')
  .requiredOption('--token <token>', 'a join token, from `longshore token create --join`')
  .addOption(new Option('--ca-file <path>', "the authority that signed the server's certificate, as PEM"))
  .addOption(new Option('--ca-hash <hash>', "that authority's hash, sha256:…").conflicts('caFile'))
  .option('--detach', 'run in the background')
  .action(async (given: JoinFlags) => {
    const { join } = await import('./commands/join.ts');
    const { server, token, caFile, caHash } = given;
    await join(settingsFrom(given), { server, token, caFile, caHash, detach: given.detach === true });
  });

interface TokenFlags extends GivenFlags {
  join?: boolean;
  admin?: boolean;
  minion?: string;
  machineId?: string;
}

program
  .command('token')
  .description('tokens of this cluster')
  .command('create')
  .description('mint a token from the root secret of the data directory')
  .addOption(dataDirOption())
  .addOption(new Option('--join', 'for machines that are to join; lasts a day').conflicts(['minion', 'admin']))
  .addOption(new Option('--minion <name>', 'for one minion').conflicts(['join', 'admin']))
  .option('--machine-id <id>', "with --minion: the machine's /etc/machine-id (default: this machine's)")
  .addOption(new Option('--admin', 'for everything').conflicts(['join', 'minion']))
  .action(async (given: TokenFlags) => {
    const layout = layoutOf(given.dataDir);
    if (given.admin === true) return print(await adminToken(layout));
    if (given.minion !== undefined) {
      return print(await minionToken(layout, given.minion, given.machineId ?? readMachineId(layout.agent)));
    }
    if (given.join !== true) throw new Error('say for whom: --join, --minion NAME or --admin');
    const token = await joinToken(layout);
    print(token);
    await sayHowToJoin(settingsFrom(given), token);
  });

const print = (line: string) => void process.stdout.write(`${line}\n`);

/** The whole command, on standard error, so that the token alone can be captured. */
async function sayHowToJoin(settings: Settings, token: string): Promise<void> {
  const { hashOfAuthorityPem } = await import('./commands/join.ts');
  const hash = hashOfAuthorityPem(readFileSync(layoutOf(settings.dataDir).caCertificate, 'utf8'));
  const wildcard = settings.listen.some((each) => each === '0.0.0.0' || each === '::');
  const address = wildcard ? hostAddresses()[0] : settings.listen[0];
  const command = `npx longshore join --server https://${address ?? 'ADDRESS'}:${settings.apiPort} --ca-hash ${hash} --token ${token}`;
  const note =
    address === undefined ? '\n(This control plane serves this machine alone: start it with --listen ADDRESS.)' : '';
  process.stderr.write(`On the other machine, in a clone:\n  ${command}${note}\n`);
}

program
  .command('agent')
  .description('run the minion alone, from a configuration file (JSON of AgentConfig)')
  .requiredOption('--config <file>', 'the configuration')
  .action(async (given: { config: string }) => {
    const { runAgent } = await import('../main.ts');
    await runAgent(JSON.parse(readFileSync(given.config, 'utf8')) as AgentConfig);
  });

try {
  await program.parseAsync();
} catch (error) {
  // A reason for whoever runs the command; the stack is for whoever mends it.
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`longshore: ${text}\n`);
  if (process.env.LONGSHORE_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
