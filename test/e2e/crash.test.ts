/**
 * The control plane killed with SIGKILL while it is written to, again and again: what was acknowledged is there, revisions
 * only grow, watchers saw nothing that is not so, pods are untouched and the agent is back.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { BUSYBOX } from '../support/images.ts';
import { type Lab, readyNodes, startLab } from '../support/lab.ts';

const ROUNDS = 4;
const WRITERS = 8;
const WRITES_BEFORE_KILL = 120;

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ minions: [{ name: 'm1' }] });
});
afterAll(async () => {
  await lab?.dispose();
});

interface Stored {
  metadata: { name: string; resourceVersion: string };
  data: { value: string };
}

/** Gathers every config map of these rounds that a watch shows, until the control plane is killed under it. */
async function follow(seen: Stored[]): Promise<void> {
  const { body } = await lab.api('GET', `${CONFIG_MAPS}?limit=1`);
  const { resourceVersion } = (body as { metadata: { resourceVersion: string } }).metadata;
  const path = `${CONFIG_MAPS}?watch=true&resourceVersion=${resourceVersion}`;
  try {
    for await (const { object } of lab.controlPlane.client.watch(path, new AbortController().signal))
      seen.push(object as unknown as Stored);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

test('no acknowledged write is lost, no pod is touched, the agent reconnects', async () => {
  await lab.api('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'witness' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', '100000'] }],
    },
  });
  await eventually('the witness running', async () => {
    const { body } = await lab.api('GET', '/api/v1/namespaces/default/pods/witness');
    return (body as { status: { phase: string } }).status.phase === 'Running';
  });
  const containersBefore = await lab.minion('m1').docker('ps', '--no-trunc', '-q');

  const acknowledged = new Map<string, { value: string; revision: number }>();
  let highest = 0;
  for (let round = 0; round < ROUNDS; round++) {
    let written = 0;
    let killed = false;
    const write = async (writer: number) => {
      for (let index = 0; !killed; index++) {
        const name = `r${round}-w${writer}-${index % 20}`;
        const known = acknowledged.get(name);
        const object = {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name },
          data: { value: `${round}.${index}` },
        };
        try {
          const answer = await (known === undefined
            ? lab.api('POST', CONFIG_MAPS, object)
            : lab.api('PUT', `${CONFIG_MAPS}/${name}`, object));
          if (answer.status !== 200 && answer.status !== 201)
            throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
          const stored = answer.body as Stored;
          acknowledged.set(name, { value: stored.data.value, revision: Number(stored.metadata.resourceVersion) });
          written += 1;
        } catch (error) {
          // After the kill a call may fail or hang up: it was not acknowledged. Before it, nothing may fail.
          if (!killed) throw error;
        }
      }
    };
    const seen: Stored[] = [];
    const watching = follow(seen);
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, index) => write(index)));
    await Promise.race([writers, eventually('enough writes', () => written >= WRITES_BEFORE_KILL)]);
    killed = true;
    await lab.controlPlane.kill('SIGKILL');
    await writers;
    await watching;
    await lab.controlPlane.restart();

    const list = (await lab.api('GET', CONFIG_MAPS)).body as { metadata: { resourceVersion: string }; items: Stored[] };
    const stored = new Map(list.items.map((item) => [item.metadata.name, item]));
    const lost = [...acknowledged].filter(
      ([name, { revision }]) => Number(stored.get(name)?.metadata.resourceVersion ?? 0) < revision,
    );
    expect(lost, `round ${round}`).toEqual([]);
    const changed = [...acknowledged].filter(([name, { revision, value }]) => {
      const now = stored.get(name);
      return Number(now?.metadata.resourceVersion) === revision && now?.data.value !== value;
    });
    expect(changed, `round ${round}`).toEqual([]);
    const phantoms = seen.filter(
      ({ metadata }) =>
        Number(stored.get(metadata.name)?.metadata.resourceVersion ?? 0) < Number(metadata.resourceVersion),
    );
    expect(phantoms, `round ${round}: seen by the watcher, and not so`).toEqual([]);
    const revisions = seen.map(({ metadata }) => Number(metadata.resourceVersion));
    expect(revisions.length).toBeGreaterThan(0);
    expect(revisions, `round ${round}: each once, in order`).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    const revision = Number(list.metadata.resourceVersion);
    expect(revision).toBeGreaterThanOrEqual(
      Math.max(highest, ...[...acknowledged.values()].map((each) => each.revision)),
    );
    highest = revision;
    for (const [name, item] of stored) {
      if (acknowledged.has(name))
        acknowledged.set(name, { value: item.data.value, revision: Number(item.metadata.resourceVersion) });
    }
  }

  await eventually('the minion Ready', async () =>
    readyNodes((await lab.api('GET', '/api/v1/nodes')).body).includes('m1'),
  );
  expect(await lab.minion('m1').docker('ps', '--no-trunc', '-q')).toBe(containersBefore);
  const { body } = await lab.api('GET', '/api/v1/namespaces/default/pods/witness');
  expect(
    (body as { status: { containerStatuses: { restartCount: number }[] } }).status.containerStatuses[0]?.restartCount,
  ).toBe(0);
  const nodes = (await lab.api('GET', '/api/v1/events?fieldSelector=reason%3DNodeNotReady')).body as {
    items: unknown[];
  };
  expect(nodes.items).toEqual([]);
});

test('an agent killed and started again adopts its containers', async () => {
  const before = await lab.minion('m1').docker('ps', '--no-trunc', '-q');
  await lab.minion('m1').agent.kill();
  await lab.minion('m1').restartAgent();
  await eventually('the minion Ready', async () =>
    readyNodes((await lab.api('GET', '/api/v1/nodes')).body).includes('m1'),
  );
  await lab.api('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'after' },
    spec: {
      terminationGracePeriodSeconds: 0,
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: BUSYBOX, command: ['true'] }],
    },
  });
  await eventually('a new pod done', async () => {
    const { body } = await lab.api('GET', '/api/v1/namespaces/default/pods/after');
    return (body as { status: { phase: string } }).status.phase === 'Succeeded';
  });
  const after = (await lab.minion('m1').docker('ps', '--no-trunc', '-q')).split('\n');
  for (const id of before.split('\n').filter(Boolean)) expect(after).toContain(id);
});
