/** Basic commands for beginners, the first of them: `create` in all its forms, by name (typed bodies) and from a file. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { BUSYBOX } from '../../support/images.ts';
import { type Group, rowsOf, type World } from './world.ts';

interface Made {
  /** After `create`. */
  args: string[];
  /** What kubectl calls it, before `created`. */
  as: string;
  /** Part of what is stored then. */
  stored: object;
}

/** Most of `create`'s forms: what kubectl says, and what is stored then. None needs another. */
function forms(world: World): Made[] {
  const wide = (name: string) => `${world.namespace}-${name}`;
  const plain = world.file('plain.txt', 'as it is\n');
  const env = world.file('some.env', '# comment\nCOLOUR=red\n');
  const [key, certificate] = [world.path('tls.key'), world.path('tls.crt')];
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=site.test', '-keyout', key, '-out', certificate],
  ]);
  const rule = (apiGroup: string, resource: string, verbs: string[]) => ({
    apiGroups: [apiGroup],
    resources: [resource],
    verbs,
  });
  return [
    {
      args: ['clusterrole', wide('reader'), '--verb=get,list', '--resource=pods,deployments.apps'],
      as: `clusterrole.rbac.authorization.k8s.io/${wide('reader')}`,
      stored: { rules: [rule('', 'pods', ['get', 'list']), rule('apps', 'deployments', ['get', 'list'])] },
    },
    {
      args: ['clusterrole', wide('all'), '--aggregation-rule=longshore.test/all=yes'],
      as: `clusterrole.rbac.authorization.k8s.io/${wide('all')}`,
      stored: { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { 'longshore.test/all': 'yes' } }] } },
    },
    {
      args: ['clusterrolebinding', wide('reader'), `--clusterrole=${wide('reader')}`, '--group=ops'],
      as: `clusterrolebinding.rbac.authorization.k8s.io/${wide('reader')}`,
      stored: { roleRef: { kind: 'ClusterRole', name: wide('reader') }, subjects: [{ kind: 'Group', name: 'ops' }] },
    },
    {
      args: ['role', 'reader', '--verb=get,list', '--resource=pods'],
      as: 'role.rbac.authorization.k8s.io/reader',
      stored: { rules: [rule('', 'pods', ['get', 'list'])] },
    },
    {
      args: ['rolebinding', 'reader', '--role=reader', `--serviceaccount=${world.namespace}:robot`, '--user=ann'],
      as: 'rolebinding.rbac.authorization.k8s.io/reader',
      stored: { roleRef: { kind: 'Role', name: 'reader' }, subjects: [{ name: 'ann' }, { name: 'robot' }] },
    },
    {
      args: ['configmap', 'settings', '--from-literal=a=1', `--from-file=plain=${plain}`],
      as: 'configmap/settings',
      stored: { data: { a: '1', plain: 'as it is\n' } },
    },
    {
      args: ['configmap', 'environment', `--from-env-file=${env}`],
      as: 'configmap/environment',
      stored: { data: { COLOUR: 'red' } },
    },
    {
      args: ['secret', 'generic', 'key', '--from-literal=password=hunter2', '--type=test/key'],
      as: 'secret/key',
      stored: { type: 'test/key', data: { password: 'aHVudGVyMg==' } },
    },
    {
      args: [
        ...['secret', 'docker-registry', 'registry', '--docker-server=registry.test'],
        ...['--docker-username=u', '--docker-password=p', '--docker-email=u@registry.test'],
      ],
      as: 'secret/registry',
      stored: { type: 'kubernetes.io/dockerconfigjson' },
    },
    {
      args: ['secret', 'tls', 'site', `--cert=${certificate}`, `--key=${key}`],
      as: 'secret/site',
      stored: { type: 'kubernetes.io/tls' },
    },
    {
      args: ['deployment', 'web', `--image=${BUSYBOX}`, '--replicas=0', '--port=8080', '--', 'sleep', '1000'],
      as: 'deployment.apps/web',
      stored: {
        spec: {
          replicas: 0,
          template: {
            spec: { containers: [{ image: BUSYBOX, ports: [{ containerPort: 8080 }], command: ['sleep', '1000'] }] },
          },
        },
      },
    },
    {
      args: ['ingress', 'site', '--class=edge', '--rule=site.test/path=web:8080,tls=site', '--annotation=a=b'],
      as: 'ingress.networking.k8s.io/site',
      stored: {
        metadata: { annotations: { a: 'b' } },
        spec: {
          ingressClassName: 'edge',
          rules: [{ host: 'site.test', http: { paths: [{ path: '/path', pathType: 'Exact' }] } }],
          tls: [{ hosts: ['site.test'], secretName: 'site' }],
        },
      },
    },
    {
      args: ['namespace', wide('other')],
      as: `namespace/${wide('other')}`,
      stored: { status: { phase: 'Active' } },
    },
    {
      args: ['poddisruptionbudget', 'guard', '--selector=app=web', '--min-available=50%'],
      as: 'poddisruptionbudget.policy/guard',
      stored: { spec: { minAvailable: '50%', selector: { matchLabels: { app: 'web' } } } },
    },
    {
      args: ['priorityclass', wide('high'), '--value=1000', '--description=high priority', '--preemption-policy=Never'],
      as: `priorityclass.scheduling.k8s.io/${wide('high')}`,
      stored: { value: 1000, preemptionPolicy: 'Never', description: 'high priority' },
    },
    {
      args: ['quota', 'limits', '--hard=pods=10,configmaps=20'],
      as: 'resourcequota/limits',
      stored: { spec: { hard: { configmaps: '20', pods: '10' } } },
    },
    {
      args: ['service', 'clusterip', 'quiet', '--tcp=80:8080'],
      as: 'service/quiet',
      stored: { spec: { type: 'ClusterIP', ports: [{ name: '80-8080', port: 80, targetPort: 8080 }] } },
    },
    {
      args: ['service', 'clusterip', 'headless', '--clusterip=None'],
      as: 'service/headless',
      stored: { spec: { clusterIP: 'None' } },
    },
    {
      args: ['service', 'externalname', 'elsewhere', '--external-name=example.test'],
      as: 'service/elsewhere',
      stored: { spec: { type: 'ExternalName', externalName: 'example.test' } },
    },
    {
      args: ['service', 'loadbalancer', 'public', '--tcp=80:8080'],
      as: 'service/public',
      stored: { spec: { type: 'LoadBalancer' } },
    },
    {
      args: ['service', 'nodeport', 'port', '--tcp=80:8080'],
      as: 'service/port',
      stored: { spec: { type: 'NodePort', ports: [{ nodePort: expect.any(Number) }] } },
    },
    {
      args: ['serviceaccount', 'robot'],
      as: 'serviceaccount/robot',
      stored: { metadata: { name: 'robot' } },
    },
    {
      args: ['job', 'once', `--image=${BUSYBOX}`, '--', 'true'],
      as: 'job.batch/once',
      stored: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ command: ['true'] }] } } } },
    },
    {
      args: ['cronjob', 'yearly', `--image=${BUSYBOX}`, '--schedule=0 0 1 1 *', '--', 'true'],
      as: 'cronjob.batch/yearly',
      stored: { spec: { schedule: '0 0 1 1 *' } },
    },
  ];
}

export const create: Group = {
  name: 'create',
  define(world) {
    test('create makes each thing that it has a form for', async () => {
      const made = forms(world);
      const said = await Promise.all(made.map(({ args }) => world.run(['create', ...args])));
      expect(said).toEqual(made.map(({ as }) => `${as} created\n`));
      const { items } = await world.json<{ items: object[] }>(['get', ...made.map(({ as }) => as)]);
      expect(items).toMatchObject(made.map(({ stored }) => stored));
    });

    test('create refuses what is there already', async () => {
      expect(await world.attempt(['create', 'namespace', `${world.namespace}-other`])).toMatchObject({
        code: 1,
        stderr: `Error from server (AlreadyExists): namespaces "${world.namespace}-other" already exists\n`,
      });
      expect(await world.attempt(['create', 'configmap', 'settings'])).toMatchObject({
        code: 1,
        stderr: 'error: failed to create configmap: configmaps "settings" already exists\n',
      });
    });

    test('create token gives a token that opens what the account may, and is bound for a time', async () => {
      const token = (await world.run(['create', 'token', 'robot', '--duration=15m'])).trim();
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
        sub: string;
        exp: number;
        iat: number;
      };
      expect(claims.sub).toBe(`system:serviceaccount:${world.namespace}:robot`);
      expect(claims.exp - claims.iat).toBe(15 * 60);
      const bound = await world.attempt(['create', 'token', 'robot', '--bound-object-kind=Secret']);
      expect(bound.stderr).toContain('--bound-object-name');
    });

    test('create makes a job of a cron job, and get shows both', async () => {
      expect(await world.run(['create', 'job', 'now', '--from=cronjob/yearly'])).toBe('job.batch/now created\n');
      const jobs = rowsOf(await world.run(['get', 'jobs']));
      expect(jobs[0]).toEqual(['NAME', 'STATUS', 'COMPLETIONS', 'DURATION', 'AGE']);
      expect(jobs.slice(1).map((row) => row[0])).toEqual(['now', 'once']);
      const [head, row] = rowsOf(await world.run(['get', 'cronjobs']));
      expect(head).toEqual(['NAME', 'SCHEDULE', 'TIMEZONE', 'SUSPEND', 'ACTIVE', 'LAST SCHEDULE', 'AGE']);
      expect(row?.slice(0, 4)).toEqual(['yearly', '0 0 1 1 *', '<none>', 'False']);
      expect(row?.[5]).toBe('<none>');
      expect(await world.run(['describe', 'job', 'once'])).toContain('Created pod: once-');
    });

    test('create reads a list from its input, and a raw body', async () => {
      const map = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [map('first'), map('second')] });
      expect(await world.run(['create', '-f', '-'], list)).toBe('configmap/first created\nconfigmap/second created\n');
      const raw = ['create', '--raw', `/api/v1/namespaces/${world.namespace}/configmaps`, '-f', '-'];
      expect(JSON.parse(await world.run(raw, JSON.stringify(map('third'))))).toMatchObject({
        kind: 'ConfigMap',
        metadata: { name: 'third', namespace: world.namespace },
      });
      const generated = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'some-' } });
      expect(await world.run(['create', '-f', '-'], generated)).toMatch(/^configmap\/some-[a-z0-9]{5} created\n$/);
    });

    test('create makes nothing on a dry run', async () => {
      const ghost = ['create', 'configmap', 'ghost', '--from-literal=a=1'];
      expect(await world.run([...ghost, '--dry-run=server'])).toBe('configmap/ghost created (server dry run)\n');
      expect(await world.run([...ghost, '--dry-run=client', '-o', 'name'])).toBe('configmap/ghost\n');
      expect((await world.attempt(['get', 'configmap', 'ghost'])).stderr).toBe(
        'Error from server (NotFound): configmaps "ghost" not found\n',
      );
    });

    test('create looks at the fields as it is told to', async () => {
      const odd = (name: string) =>
        JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, colour: 'red' });
      const strict = await world.attempt(['create', '-f', '-'], odd('strict'));
      expect(strict.code).toBe(1);
      expect(strict.stderr).toContain('strict decoding error: unknown field "colour"');
      const warned = await world.attempt(['create', '--validate=warn', '-f', '-'], odd('warned'));
      expect(warned).toMatchObject({ code: 0, stdout: 'configmap/warned created\n' });
      expect(warned.stderr).toContain('Warning: unknown field "colour"');
      expect(await world.attempt(['create', '--validate=ignore', '-f', '-'], odd('ignored'))).toMatchObject({
        stderr: '',
        stdout: 'configmap/ignored created\n',
      });
    });
  },
};
