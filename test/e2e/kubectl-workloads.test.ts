/** Real kubectl and the workloads: jobs, cron jobs, stateful sets, daemon sets, autoscalers, drain. Needs no minion. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectls, Kubectl } from '../support/kubectl.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
});
afterAll(async () => {
  await plane?.dispose();
});

const workload = (kind: string, name: string, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'v1' }] } },
      ...more,
    },
  });

const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));

describe.each(findKubectls())('kubectl $version', (binary) => {
  let kubectl: Kubectl;
  const namespace = `work-${binary.version.replace('.', '-')}`;
  const here = ['-n', namespace];

  beforeAll(async () => {
    kubectl = new Kubectl(binary, plane.kubeconfigPath);
    await kubectl.run(['create', 'namespace', namespace]);
  });

  test('create makes jobs and cron jobs, and a job of a cron job', async () => {
    expect(await kubectl.run([...here, 'create', 'job', 'once', '--image=busybox'])).toBe('job.batch/once created\n');
    const cron = ['create', 'cronjob', 'yearly', '--image=busybox', '--schedule=0 0 1 1 *'];
    expect(await kubectl.run([...here, ...cron])).toBe('cronjob.batch/yearly created\n');
    expect(await kubectl.run([...here, 'create', 'job', 'now', '--from=cronjob/yearly'])).toBe(
      'job.batch/now created\n',
    );
    const jobs = rowsOf(await kubectl.run([...here, 'get', 'jobs']));
    expect(jobs[0]).toEqual(['NAME', 'STATUS', 'COMPLETIONS', 'DURATION', 'AGE']);
    expect(jobs.slice(1).map((row) => row.slice(0, 3))).toEqual([
      ['now', 'Running', '0/1'],
      ['once', 'Running', '0/1'],
    ]);
    const [head, row] = rowsOf(await kubectl.run([...here, 'get', 'cronjobs']));
    expect(head).toEqual(['NAME', 'SCHEDULE', 'TIMEZONE', 'SUSPEND', 'ACTIVE', 'LAST SCHEDULE', 'AGE']);
    expect(row?.slice(0, 6)).toEqual(['yearly', '0 0 1 1 *', '<none>', 'False', '0', '<none>']);
    expect(await kubectl.run([...here, 'describe', 'job', 'once'])).toContain('Created pod: once-');
    await kubectl.run([...here, 'delete', 'job', 'once', 'now']);
  });

  test('rollout shows and undoes the revisions of stateful sets and daemon sets', async () => {
    for (const [kind, name] of [
      ['StatefulSet', 'db'],
      ['DaemonSet', 'log'],
    ] as const) {
      const resource = `${kind.toLowerCase()}/${name}`;
      await kubectl.run([...here, 'apply', '-f', '-'], { input: workload(kind, name) });
      await kubectl.run([...here, 'set', 'image', resource, 'main=v2']);
      expect(await kubectl.run([...here, 'rollout', 'history', resource])).toMatch(/REVISION\s+CHANGE-CAUSE\n1 .*\n2 /);
      expect(await kubectl.run([...here, 'rollout', 'undo', resource])).toContain('rolled back');
      const image = '-o=jsonpath={.spec.template.spec.containers[0].image}';
      expect(await kubectl.run([...here, 'get', resource, image])).toBe('v1');
    }
    expect(await kubectl.run([...here, 'scale', 'sts/db', '--replicas=3'])).toBe('statefulset.apps/db scaled\n');
    expect(rowsOf(await kubectl.run([...here, 'get', 'sts']))[0]).toEqual(['NAME', 'READY', 'AGE']);
  });

  test('autoscale makes an autoscaler that says what it lacks', async () => {
    await kubectl.run([...here, 'create', 'deployment', 'web', '--image=nginx']);
    const bounds = ['--min=2', '--max=5', '--cpu-percent=80'];
    await kubectl.run([...here, 'autoscale', 'deployment', 'web', ...bounds]);
    const [head, row] = rowsOf(await kubectl.run([...here, 'get', 'hpa']));
    expect(head).toEqual(['NAME', 'REFERENCE', 'TARGETS', 'MINPODS', 'MAXPODS', 'REPLICAS', 'AGE']);
    expect(row?.slice(0, 6)).toEqual(['web', 'Deployment/web', 'cpu: <unknown>/80%', '2', '5', '2']);
    expect(await kubectl.run([...here, 'describe', 'hpa', 'web'])).toContain('FailedGetResourceMetric');
  });

  test('drain asks the disruption budget', async () => {
    const node = `node-${binary.version.replace('.', '-')}`;
    const make = (object: object) => kubectl.run([...here, 'create', '-f', '-'], { input: JSON.stringify(object) });
    await make({ apiVersion: 'v1', kind: 'Node', metadata: { name: node } });
    await make({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'guarded', labels: { app: 'guarded' } },
      spec: { nodeName: node, containers: [{ name: 'main', image: 'busybox' }] },
    });
    const status = (phase: string) => [
      'patch',
      'pod',
      'guarded',
      '--subresource=status',
      '-p',
      JSON.stringify({ status: { phase } }),
    ];
    await kubectl.run([...here, ...status('Running')]);
    const pdb = ['create', 'pdb', 'guard', '--selector=app=guarded', '--min-available=1'];
    expect(await kubectl.run([...here, ...pdb])).toBe('poddisruptionbudget.policy/guard created\n');
    const drain = ['drain', node, '--force', '--ignore-daemonsets', '--timeout=2s'];
    const refused = await kubectl.try(drain);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
    await kubectl.run([...here, ...status('Succeeded')]);
    expect(await kubectl.run(drain)).toContain(`node/${node} drained`);
    expect(await kubectl.run([...here, 'get', 'pod', 'guarded', '--ignore-not-found'])).toBe('');
  });
});
