/**
 * Clients that leave an exec before its end: a close right behind the last byte, a connection that is destroyed, a command
 * that nobody watches any more. What became of the command is asked of the engine, not through the cluster.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../../support/eventually.ts';
import type { Lab } from '../../support/lab.ts';
import { NAMESPACE } from './pods.ts';

const INPUT = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * 31) % 251));
const PIECE_BYTES = 50_000;
const MIB = 1024 * 1024;

export function leavingClient(labOf: () => Lab): void {
  async function exec(script: string, protocol: string, stdin = true): Promise<WebSocket> {
    const { url, ca, adminToken } = labOf().controlPlane;
    const query = new URLSearchParams({ container: 'main', stdout: 'true', stdin: String(stdin) });
    for (const word of ['sh', '-c', script]) query.append('command', word);
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/web/exec?${query}`;
    const headers = { authorization: `Bearer ${adminToken}` };
    const socket = new WebSocket(`${url.replace('https', 'wss')}${path}`, [protocol], { ca, headers });
    await once(socket, 'open');
    return socket;
  }

  /** Resolves when the last byte has been given to the operating system. */
  async function sendInput(socket: WebSocket): Promise<void> {
    for (let at = 0; at < INPUT.length; at += PIECE_BYTES) {
      const piece = Buffer.concat([Buffer.of(0), INPUT.subarray(at, at + PIECE_BYTES)]);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.send(piece, (error) => (error === undefined || error === null ? resolve() : reject(error)));
      if (at + PIECE_BYTES >= INPUT.length) await promise;
    }
  }

  /** What a script prints in the container of `web`. */
  async function inPod(script: string): Promise<string> {
    const { docker } = labOf().minion('m1');
    const labels = ['pod.name=web', 'container.name=main'].flatMap((label) => [
      '--filter',
      `label=io.kubernetes.${label}`,
    ]);
    const id = (await docker('ps', '-q', ...labels)).trim();
    return (await docker('exec', id, 'sh', '-c', script)).trim();
  }

  const untilDone = (name: string) =>
    eventually('the command’s end', async () => (await inPod(`cat /root/${name}.end 2>/dev/null || true`)) === 'ended');

  const hash = createHash('sha256').update(INPUT).digest('hex');

  test.each(['v5.channel.k8s.io', 'v4.channel.k8s.io'])('1 MB and a close arrive whole (%s)', async (protocol) => {
    const socket = await exec(`cat > /root/${protocol}; echo ended > /root/${protocol}.end`, protocol);
    sendInput(socket).catch(() => undefined);
    socket.close();
    await once(socket, 'close');
    await untilDone(protocol);
    expect(await inPod(`sha256sum < /root/${protocol}`)).toContain(hash);
  });

  test('a client that is killed leaves its command an end of its input, behind what arrived', async () => {
    const socket = await exec('cat > /root/killed; echo ended > /root/killed.end', 'v5.channel.k8s.io');
    await sendInput(socket);
    socket.terminate();
    await untilDone('killed');
    const length = Number(await inPod('wc -c < /root/killed'));
    expect(length).toBeLessThanOrEqual(INPUT.length);
    const arrived = createHash('sha256').update(INPUT.subarray(0, length)).digest('hex');
    expect(await inPod('sha256sum < /root/killed')).toContain(arrived);
  });

  test.each([true, false])('a command that nobody watches goes on, and costs no memory (input: %s)', async (stdin) => {
    const pid = labOf().minion('m1').agent.pid();
    const memoryBytes = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const name = `endless-${stdin}`;
    const socket = await exec(`echo $$ > /root/${name}; exec yes`, 'v5.channel.k8s.io', stdin);
    await once(socket, 'message');
    const before = memoryBytes();
    socket.close();
    await once(socket, 'close');
    const command = await inPod(`cat /root/${name}`);
    const written = async () => Number(/wchar: (\d+)/.exec(await inPod(`cat /proc/${command}/io`))?.[1]);
    const start = await written();
    await eventually('200 MiB more', async () => (await written()) > start + 200 * MIB);
    expect(memoryBytes()).toBeLessThan(before + 100 * MIB);
    await inPod(`kill ${command}`);
  });
}
