/**
 * What runs on this machine, started in order, kept running, ended in order: the control plane (unless the machine joined
 * one elsewhere) and the minion's agent. In the foreground it lives in the `longshore start` process, with --detach in a
 * process of its own (`longshore supervise`).
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_DEFAULTS, type AgentConfig } from '../config.ts';
import { readMachineId } from '../node/facts.ts';
import { ControlPlane, PROJECT } from './control-plane/control-plane.ts';
import { KeptProcess } from './control-plane/kept-process.ts';
import { type Layout, layoutOf } from './control-plane/layout.ts';
import { writeSecretFile } from './control-plane/secret-file.ts';
import { kubeconfig } from './kubeconfig.ts';
import { endByPidFile, endProcess, hasEnded, runningPid } from './pid-file.ts';
import { keepSettings, type Settings } from './settings.ts';
import { adminToken, minionToken } from './tokens.ts';

/** The agent closes its sockets and files; containers stay as they are. */
const AGENT_GRACE_MS = 10_000;
/** Longer than what a supervisor gives its children. */
export const SUPERVISOR_GRACE_MS = 20_000;
/** Said to the agent instead of SIGTERM: tell the cluster that this minion goes. */
export const GOODBYE_SIGNAL = 'SIGUSR2';

/** What marks the command line of each process that a data directory's pid files name. */
export const marksOf = (layout: Layout) => ({
  supervisor: 'agent/cli/',
  workerd: layout.workerdConfig,
  agent: layout.agentConfig,
});

export const runningSupervisor = (layout: Layout): number | undefined =>
  runningPid(layout.supervisorPid, marksOf(layout).supervisor);

/** The pid file alone says that it runs; this, that the API answers and the minion's process was started. */
export function supervisorIsReady(layout: Layout): boolean {
  const running = runningSupervisor(layout);
  return running !== undefined && running === runningPid(layout.supervisorReady, marksOf(layout).supervisor);
}

export type Say = (line: string) => void;

/** Ends the children of a supervisor that was killed outright, once it is gone itself. */
export async function endStrays(layout: Layout, say: Say): Promise<void> {
  const marks = marksOf(layout);
  await hasEnded(layout.supervisorPid);
  if (await endByPidFile(layout.agentPid, marks.agent, 'SIGTERM', AGENT_GRACE_MS)) {
    say('ended a minion process that an earlier longshore left');
  }
  if (await endByPidFile(layout.workerdPid, marks.workerd, 'SIGTERM', 500)) {
    say('ended a control plane that an earlier longshore left');
  }
}

export class Supervisor {
  readonly settings: Settings;
  readonly layout: Layout;
  readonly #say: Say;
  readonly #controlPlane: ControlPlane | undefined;
  readonly #agent: KeptProcess;

  /** @param descriptors of the control plane's sockets, when this process was started with them. */
  constructor(settings: Settings, say: Say, descriptors: readonly number[] = []) {
    this.settings = settings;
    this.layout = layoutOf(settings.dataDir);
    this.#say = say;
    const crashed = (what: string) => (how: string, retryMs: number) =>
      say(`${what} ${how}; starting it again in ${retryMs / 1000} s (logs: ${this.layout.logs})`);
    this.#controlPlane =
      settings.minion.server === undefined
        ? new ControlPlane(settings, crashed('the control plane'), descriptors)
        : undefined;
    this.#agent = new KeptProcess({
      name: 'minion',
      command: process.execPath,
      args: [join(PROJECT, 'agent/main.ts'), '--config', this.layout.agentConfig],
      logPath: join(this.layout.logs, 'minion.log'),
      pidPath: this.layout.agentPid,
      graceMs: AGENT_GRACE_MS,
      onCrash: crashed('the minion'),
    });
  }

  /** Makes ready what can be, and only then ends the supervisor that runs, so that `start` can follow at once. */
  async succeed(predecessor: number): Promise<void> {
    await this.#controlPlane?.prepare();
    if (runningSupervisor(this.layout) === predecessor) await endProcess(predecessor, 'SIGTERM', SUPERVISOR_GRACE_MS);
  }

  /** Resolves once the API answers and the agent has been started. @throws with the reason when the control plane fails. */
  async start(): Promise<void> {
    for (const folder of [this.layout.run, this.layout.logs, this.layout.agent]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    const other = runningSupervisor(this.layout);
    if (other !== undefined && other !== process.pid) throw new Error(`longshore runs already (process ${other})`);
    writeFileSync(this.layout.supervisorPid, `${process.pid}\n`);
    await endStrays(this.layout, this.#say);
    keepSettings(this.settings);
    if (this.#controlPlane !== undefined) {
      await this.#controlPlane.start();
      const ca = readFileSync(this.layout.caCertificate, 'utf8');
      const token = await adminToken(this.layout);
      writeSecretFile(this.layout.kubeconfig, kubeconfig({ server: this.#controlPlane.url, ca, token }));
    }
    writeSecretFile(this.layout.agentConfig, `${JSON.stringify(await this.#agentConfig(), undefined, 2)}\n`);
    this.#agent.start();
    writeFileSync(this.layout.supervisorReady, `${process.pid}\n`);
  }

  async #agentConfig(): Promise<AgentConfig> {
    const { minion } = this.settings;
    const own = this.#controlPlane;
    const token = minion.token ?? (await minionToken(this.layout, minion.nodeName, readMachineId(this.layout.agent)));
    return {
      ...AGENT_DEFAULTS,
      upstreamDns: [],
      nodeLabels: {},
      server: minion.server ?? own?.url ?? '',
      token,
      caFile: own === undefined ? minion.caFile : this.layout.caCertificate,
      nodeName: minion.nodeName,
      nodeIP: minion.nodeIP,
      dataDir: this.layout.agent,
      manifestDir: minion.manifestDir,
      dockerSocket: minion.dockerSocket,
      instance: minion.instance,
      dnsPort: minion.dnsPort,
    };
  }

  /** Ends everything; pods go on running. @param goodbye the cluster is told that the minion goes */
  async stop(goodbye: boolean): Promise<void> {
    await this.#agent.stop(goodbye ? GOODBYE_SIGNAL : 'SIGTERM');
    await this.#controlPlane?.stop();
    if (existsSync(this.layout.supervisorPid) && runningSupervisor(this.layout) === process.pid) {
      rmSync(this.layout.supervisorReady, { force: true });
      rmSync(this.layout.supervisorPid);
    }
  }
}
