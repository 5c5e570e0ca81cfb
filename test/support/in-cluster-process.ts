/**
 * A client that runs inside a pod would: the official JavaScript client, configured from the pod's environment and the
 * files mounted in it, run in the pod's network namespace. Started through nsenter(1) with the pid of a container's
 * process; prints what it got as one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { AuthorizationV1Api, CoreV1Api, Exec, KubeConfig, Watch } from '@kubernetes/client-node';

const [pid = '', what = '', ...args] = process.argv.slice(2);
for (const entry of readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) {
  const [name = '', value = ''] = entry.split('=');
  if (name.startsWith('KUBERNETES_SERVICE_')) process.env[name] = value;
}

const config = new KubeConfig();
config.loadFromCluster(`/proc/${pid}/root`);
const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? '';
const core = config.makeApiClient(CoreV1Api);

const TASKS: Record<string, () => Promise<unknown>> = {
  pods: async () => (await core.listNamespacedPod({ namespace })).items.map((pod) => pod.metadata?.name),
  secrets: async () => (await core.listNamespacedSecret({ namespace })).items.length,
  whoAmI: async () => {
    const review = await config.makeApiClient(AuthorizationV1Api).createSelfSubjectRulesReview({
      body: { spec: { namespace } },
    });
    return { server: config.getCurrentCluster()?.server, namespace, rules: review.status?.resourceRules.length };
  },
  watch: () =>
    new Promise((resolve, reject) => {
      const [name = ''] = args;
      new Watch(config)
        .watch(
          `/api/v1/namespaces/${namespace}/pods`,
          {},
          (type, pod: { metadata: { name: string } }) => {
            if (pod.metadata.name === name) resolve(type);
          },
          reject,
        )
        .catch(reject);
    }),
  exec: () =>
    new Promise((resolve, reject) => {
      const [pod = '', container = ''] = args;
      let output = '';
      new Exec(config)
        .exec(
          namespace,
          pod,
          container,
          ['hostname'],
          new Writable({
            write: (chunk: Buffer, _encoding, done) => {
              output += chunk.toString('utf8');
              done();
            },
          }),
          null,
          null,
          false,
          (status) => resolve({ status: status.status, output }),
        )
        .catch(reject);
    }),
};

const task = TASKS[what];
if (task === undefined) throw new Error(`no task ${what}`);
try {
  console.log(JSON.stringify({ ok: await task() }));
} catch (error) {
  const { code, body, message } = error as { code?: number; body?: string; message: string };
  console.log(JSON.stringify({ code, body, message }));
}
process.exit(0);
