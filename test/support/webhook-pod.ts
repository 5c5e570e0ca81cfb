/** A webhook that runs in a pod: a process in the network namespace of one of its containers, behind the pod's address. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { LabMinion } from './lab.ts';

const SCRIPT = new URL('./webhook-process.ts', import.meta.url).pathname;

export class WebhookPod {
  /** `HOST PATH` of each call so far. */
  readonly calls: string[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it listens. The container's name is `main`. */
  static async start(
    minion: LabMinion,
    podName: string,
    { certificate, privateKey }: { certificate: string; privateKey: string },
  ): Promise<WebhookPod> {
    const filters = [`io.kubernetes.pod.name=${podName}`, 'io.kubernetes.container.name=main'];
    const listed = await minion.docker('ps', '-q', ...filters.flatMap((label) => ['--filter', `label=${label}`]));
    const pid = (await minion.docker('inspect', '-f', '{{.State.Pid}}', listed.trim())).trim();
    const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, SCRIPT], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1', HOOK_CERTIFICATE: certificate, HOOK_KEY: privateKey },
    });
    const pod = new WebhookPod(child);
    if (child.stdout === null) throw new Error('the webhook has no output');
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the webhook in ${podName} ended with ${code}`)));
      lines.on('line', (line) => {
        if (line === 'listening') resolve();
        else pod.calls.push(line);
      });
    });
    return pod;
  }

  stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.kill();
    });
  }
}
