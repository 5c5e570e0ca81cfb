/**
 * The official JavaScript client, unchanged, in two generations that are two programs to a server: an informer, a watch, apply,
 * exec, attach, logs, port-forward and cp. Both speak the older forms where kubectl has newer ones: port-forward by `?ports=`,
 * channels of v5 and below.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Lab, startLab } from '../../support/lab.ts';
import { currentClient } from './current.ts';
import { leavingClient } from './leaving.ts';
import { olderClient } from './older.ts';
import { NAMESPACE, PODS } from './pods.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'm1' }] });
  const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
  for (const pod of PODS) await lab.api('POST', pods, pod);
  await eventually('both pods running', async () => {
    const { body } = await lab.api('GET', pods);
    const { items } = body as { items: { status: { phase: string } }[] };
    return items.length === PODS.length && items.every(({ status }) => status.phase === 'Running');
  });
});
afterAll(async () => {
  await lab?.dispose();
});

describe('client-node 0.22', () => olderClient(() => lab));

describe('a client that leaves', () => leavingClient(() => lab));

describe('client-node 2', () => currentClient(() => lab));
