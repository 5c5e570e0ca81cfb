/**
 * The floor for what minions report: as many sockets to the bare object, each saying the same of as many pods as soon as its
 * last report is answered. There every status is the two rows that it takes, in one transaction a report, and nothing else.
 */
import { dialler } from '../../agent/link/dial.ts';
import type { OutSocket } from '../../agent/link/kept-socket.ts';
import type { PodStatus } from '../../shared/api/core.ts';
import { eventually } from '../support/eventually.ts';
import type { Pair } from './pair.ts';

/** What one socket says. */
interface BareReporting {
  pods: { name: string; status: PodStatus }[];
  /** What an object's text has besides its status. */
  rest: string;
}

export interface BareReports {
  /** Statuses a second. */
  run(seconds: number): Promise<number>;
  stop(): void;
}

export async function startBareReports({ bare, controlPlane }: Pair, each: BareReporting[]): Promise<BareReports> {
  let running = false;
  let reported = 0;
  let underWay = 0;
  let opened = 0;
  let sequence = 0;
  let broken: string | undefined;
  const speak = (socket: OutSocket, { pods, rest }: BareReporting) => {
    if (!running) return;
    sequence++;
    underWay++;
    const message = `the ${sequence}th word`;
    const report = {
      type: 'report',
      id: sequence,
      rest,
      pods: pods.map(({ name, status }) => ({ name, status: { ...status, message } })),
    };
    socket.send(JSON.stringify(report));
  };
  const dial = dialler({ server: bare.url, path: '/?reports', token: () => '', ca: controlPlane.ca });
  const sockets = each.map((reporting) => {
    const socket: OutSocket = dial({
      open: () => void opened++,
      binary: () => undefined,
      text: () => {
        reported += reporting.pods.length;
        underWay--;
        speak(socket, reporting);
      },
      down: (reason) => {
        broken = reason;
      },
    });
    return { socket, reporting };
  });
  const settled = () => {
    if (broken !== undefined) throw new Error(`the bare object: ${broken}`);
    return opened === each.length && underWay === 0;
  };
  await eventually('the bare object takes reports', settled);
  return {
    async run(seconds) {
      const before = reported;
      const startedAt = performance.now();
      running = true;
      for (const { socket, reporting } of sockets) speak(socket, reporting);
      const timer = setTimeout(() => {
        running = false;
      }, seconds * 1000);
      await eventually('the bare object has answered', () => !running && settled());
      clearTimeout(timer);
      return (reported - before) / ((performance.now() - startedAt) / 1000);
    },
    stop: () => {
      for (const { socket } of sockets) socket.terminate();
    },
  };
}
