/** `explain` and `describe` of every kind that is served. */
import { expect, test } from 'vitest';
import type { Finished } from '../../support/kubectl.ts';
import { one, type Plain } from './one-of-each.ts';
import { type Group, rowsOf, type World } from './world.ts';

/** How many kubectls run at once. */
const SIDE_BY_SIDE = 4;

/** Calls `look` for each, a few at a time. */
async function forEach<T>(items: readonly T[], look: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const work = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await look(item);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
}

async function explainsAll(world: World): Promise<void> {
  const rows = rowsOf(await world.run(['api-resources', '--no-headers']));
  // Without a short name there are only four cells. Custom ones come and go with other groups.
  const kinds = rows
    .map((row) => ({ name: row[0] ?? '', apiVersion: row.at(-3) ?? '', kind: row.at(-1) ?? '' }))
    .filter(({ apiVersion }) => !apiVersion.startsWith('longshore.test/'));
  expect(kinds.length).toBeGreaterThan(60);
  const lacking: string[] = [];
  await forEach(kinds, async ({ name, apiVersion, kind }) => {
    const { code, stdout, stderr } = await world.attempt([
      'explain',
      name,
      `--api-version=${apiVersion}`,
      '--recursive',
    ]);
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : [undefined, apiVersion];
    const wanted = [
      ...(group === undefined ? [] : [`GROUP:      ${group}\n`]),
      `KIND:       ${kind}\nVERSION:    ${version}\n\nDESCRIPTION:\n    `,
      '\nFIELDS:\n',
      '  apiVersion\t<string>\n',
      '  metadata\t<',
    ];
    const without = wanted.filter((part) => !stdout.includes(part));
    if (code !== 0 || without.length > 0) lacking.push(`${apiVersion} ${kind}: ${JSON.stringify(without)} ${stderr}`);
  });
  expect(lacking).toEqual([]);
}

/** Described in a form of its own; what that form must say of the object in `one-of-each.ts`. */
const SAYS: Record<string, string[]> = {
  configmaps: ['Data\n====\ncolour:\n----\nred\n'],
  'cronjobs.batch': ['Schedule:                      0 0 1 1 *\n', 'Concurrency Policy:            Allow\n'],
  'daemonsets.apps': ['Desired Number of Nodes Scheduled: 0\n', 'Pod Template:\n'],
  'deployments.apps': [
    'StrategyType:           RollingUpdate\n',
    'RollingUpdateStrategy:  25% max unavailable, 25% max surge\n',
  ],
  'endpointslices.discovery.k8s.io': ['AddressType:  IPv4\n', 'Addresses:  192.0.2.1\n'],
  'horizontalpodautoscalers.autoscaling': [
    'Min replicas:                                          2\n',
    'Deployment/one',
  ],
  'ingresses.networking.k8s.io': ['Ingress Class:    edge\n', 'site.test'],
  'ingressclasses.networking.k8s.io': ['Controller:   longshore.test/controller\n'],
  'jobs.batch': ['Parallelism:      0\n', 'Suspend:          false\n'],
  limitranges: ['Container   memory    -    -    64Mi             128Mi          -\n'],
  namespaces: ['Status:       Active\n', 'Resource Quotas\n'],
  'networkpolicies.networking.k8s.io': ['Allowing ingress traffic:\n', 'Policy Types: Ingress\n'],
  nodes: ['Allocated resources:\n', 'PodCIDR: '],
  persistentvolumeclaims: ['Status:        Pending\n', 'StorageClass:  one\n'],
  persistentvolumes: ['Reclaim Policy:  Retain\n', 'Path:          /data\n'],
  'poddisruptionbudgets.policy': ['Min available:  1\n', 'Allowed disruptions:  0\n'],
  pods: ['Service Account:  default\n', 'QoS Class:                   BestEffort\n', 'FailedScheduling'],
  'priorityclasses.scheduling.k8s.io': ['Value:'],
  'replicasets.apps': ['Replicas:       0 current / 0 desired\n'],
  replicationcontrollers: ['Replicas:     0 current / 0 desired\n'],
  resourcequotas: ['Resource    Used  Hard\n'],
  'rolebindings.rbac.authorization.k8s.io': ['Kind:  Role\n', 'Subjects:\n'],
  'roles.rbac.authorization.k8s.io': ['PolicyRule:\n', 'pods       []                 []              [get]\n'],
  secrets: ['Type:  Opaque\n', 'password:  7 bytes\n'],
  serviceaccounts: ['Image pull secrets:'],
  services: ['Type:                     ClusterIP\n', 'IP Families:              IPv4\n'],
  'statefulsets.apps': ['Replicas:           0 desired | 0 total\n'],
  'storageclasses.storage.k8s.io': ['Provisioner:'],
};

/** No pod of the namespace runs. */
const NONE = ['pods.metrics.k8s.io'];

/** Its describer, in every kubectl up to 1.33, asks for storage.k8s.io/v1beta1, which Kubernetes 1.36 serves to nobody by default. */
const ASKS_FOR_A_BETA = 'volumeattributesclasses.storage.k8s.io: Error from server (NotFound)';

/** Documents of a stream that kubectl takes for YAML: one that begins as JSON may hold no `---`. */
const stream = (objects: readonly Plain[]): string => objects.map((each) => `---\n${JSON.stringify(each)}\n`).join('');

export const everyKind: Group = {
  name: 'every-kind',
  once: true,
  define(world) {
    test('explain explains every kind that is served, to its leaves', () => explainsAll(world));

    test('describe describes every kind that can be listed', async () => {
      const objects = one(world.namespace);
      const served = (await world.run(['api-resources', '--verbs=list,get', '-o', 'name'])).trim().split('\n');
      // Custom ones come and go with other groups.
      const resources = served.filter((name) => !name.endsWith('.longshore.test'));
      await world.run(['apply', '-f', '-'], stream(objects));
      const found: [resource: string, Finished][] = [];
      await forEach(resources, async (resource) => {
        found.push([resource, await world.attempt(['describe', resource])]);
      });
      const failed = found
        .filter(([, { code }]) => code !== 0)
        .map(([resource, { stderr }]) => `${resource}: ${stderr}`);
      expect(failed).toEqual([expect.stringContaining(ASKS_FOR_A_BETA)]);
      const unsaid = found.flatMap(([resource, { stdout }]) =>
        (SAYS[resource] ?? []).filter((part) => !stdout.includes(part)).map((part) => `${resource}: ${part}`),
      );
      expect(unsaid).toEqual([]);
      const nothing = found
        .filter(([, { code, stdout }]) => code === 0 && !/^Name: /m.test(stdout))
        .map(([resource]) => resource);
      expect(nothing).toEqual(NONE);
      await world.run(
        ['delete', '-f', '-', '--wait=false'],
        stream(objects.filter(({ metadata }) => metadata.namespace === undefined)),
      );
    });
  },
};
