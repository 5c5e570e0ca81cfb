/**
 * Workloads that are never left alone, on fake minions: Deployments scaled, rolled and deleted, pods deleted under them, bursts
 * of pods for the scheduler, namespaces with something in them made and removed. Each actor has names of its own and
 * remembers nothing: what it wanted and was cut off from, it asks for again.
 */
import { type ApiClient, ApiError } from '../../agent/cli/api-client.ts';
import type { Pod } from '../../shared/api/core.ts';
import type { KubeList } from '../../shared/api/meta.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { isCut } from './follower.ts';

const MERGE = 'application/merge-patch+json';
const MOST_REPLICAS = 12;
const BURST = 30;
const PAUSE_MS = 700;

export interface Churn {
  /** What was done, by name. */
  done: Record<string, number>;
  /** What was answered with an error that no cut, race or deletion explains. */
  refused: string[];
}

/** Somebody else was faster, or what was meant is (not yet) gone. */
const RACES = new Set([404, 409]);

type Act = (index: number) => Promise<string>;

export class Churner {
  readonly #client: ApiClient;
  readonly #namespace: string;
  readonly #random: SeededRandom;
  readonly #churn: Churn;

  constructor(client: ApiClient, namespace: string, random: SeededRandom, churn: Churn) {
    this.#client = client;
    this.#namespace = namespace;
    this.#random = random;
    this.#churn = churn;
  }

  /** One act after the other, with pauses, until told to stop. */
  async run(id: number, stopped: () => boolean): Promise<void> {
    const acts = this.#acts();
    while (!stopped()) {
      try {
        const did = await this.#random.pick(acts)(id);
        this.#churn.done[did] = (this.#churn.done[did] ?? 0) + 1;
      } catch (error) {
        const isRace = error instanceof ApiError && RACES.has(error.status);
        if (!isRace && !isCut(error)) this.#churn.refused.push(error instanceof Error ? error.message : String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(PAUSE_MS)));
    }
  }

  #acts(): Act[] {
    const deployments = `/apis/apps/v1/namespaces/${this.#namespace}/deployments`;
    const pods = `/api/v1/namespaces/${this.#namespace}/pods`;
    const patch = (id: number, change: object) => this.#client.json('PATCH', `${deployments}/app-${id}`, change, MERGE);
    return [
      async (id) => {
        await this.#client.json('POST', deployments, deployment(`app-${id}`, 1 + this.#random.below(MOST_REPLICAS)));
        await this.#client.json('POST', `/api/v1/namespaces/${this.#namespace}/services`, service(`app-${id}`));
        return 'deployments made';
      },
      async (id) => {
        await patch(id, { spec: { replicas: this.#random.below(MOST_REPLICAS) } });
        return 'deployments scaled';
      },
      async (id) => {
        const image = `nginx:${this.#random.below(1000)}`;
        await patch(id, { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } });
        return 'deployments rolled';
      },
      async (id) => {
        const { items } = await this.#client.json<KubeList<Pod>>('GET', `${pods}?labelSelector=app%3Dapp-${id}`);
        if (items.length > 0) await this.#client.json('DELETE', `${pods}/${this.#random.pick(items).metadata.name}`);
        return 'pods deleted under a deployment';
      },
      async (id) => {
        if (!this.#random.chance(0.3)) return 'deployments spared';
        await this.#client.json('DELETE', `${deployments}/app-${id}`);
        return 'deployments deleted';
      },
      async (id) => {
        if (!this.#random.chance(0.3)) return 'bursts spared';
        const label = `burst-${id}-${this.#random.below(1_000_000)}`;
        for (let index = 0; index < BURST; index++) await this.#client.json('POST', pods, loosePod(label, index));
        await this.#client.json('DELETE', `${pods}?labelSelector=burst%3D${label}`);
        return 'bursts of pods scheduled and deleted';
      },
      async (id) => {
        const name = `passing-${id}-${this.#random.below(1_000_000)}`;
        const inside = `/namespaces/${name}`;
        await this.#client.json('POST', '/api/v1/namespaces', {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name },
        });
        await this.#client.json('POST', `/apis/apps/v1${inside}/deployments`, deployment('app', 2));
        await this.#client.json('DELETE', `/api/v1${inside}`);
        return 'namespaces made and deleted';
      },
    ];
  }
}

function deployment(name: string, replicas: number) {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'nginx:1' }] } },
    },
  };
}

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { type: 'NodePort', selector: { app: name }, ports: [{ port: 80 }] },
});

const loosePod = (burst: string, index: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `${burst}-${index}`, labels: { burst } },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'nginx:1' }] },
});
