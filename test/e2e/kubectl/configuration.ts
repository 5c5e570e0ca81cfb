/** Commands for kubectl's own settings: `options`, and `config` in all its forms. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Group, rowsOf } from './world.ts';

export const configuration: Group = {
  name: 'configuration',
  once: true,
  define(world) {
    test('options lists what every command takes, and a timeout holds', async () => {
      const text = await world.run(['options']);
      expect(text).toMatch(/^The following options can be passed to any command:$/m);
      expect(text).toContain('--request-timeout=');
      expect(
        await world.run([
          'get',
          'ns',
          world.namespace,
          '-o',
          'name',
          '--request-timeout=10s',
          '--cache-dir',
          world.path('cache'),
        ]),
      ).toBe(`namespace/${world.namespace}\n`);
    });

    test('config builds a configuration that opens the cluster, and takes it apart', async () => {
      const file = world.path('kubeconfig');
      const built = world.kubectlWith(file);
      const config = (...args: string[]) => built.run(['config', ...args]);
      const { controlPlane } = world.lab;
      const ca = world.file('ca.crt', controlPlane.ca);
      const cluster = ['set-cluster', 'here', `--server=${controlPlane.url}`, `--certificate-authority=${ca}`];
      expect(await config(...cluster, '--embed-certs=true')).toBe('Cluster "here" set.\n');
      expect(await config('set-credentials', 'admin', `--token=${controlPlane.adminToken}`)).toBe(
        'User "admin" set.\n',
      );
      expect(
        await config('set-context', 'first', '--cluster=here', '--user=admin', `--namespace=${world.namespace}`),
      ).toBe('Context "first" created.\n');
      expect(await config('rename-context', 'first', 'one')).toBe('Context "first" renamed to "one".\n');
      expect(await config('use-context', 'one')).toBe('Switched to context "one".\n');
      expect(await config('current-context')).toBe('one\n');
      expect(await built.run(['get', 'cm', 'kube-root-ca.crt', '-o', 'name'])).toBe('configmap/kube-root-ca.crt\n');
      expect(rowsOf(await config('get-contexts'))).toEqual([
        ['CURRENT', 'NAME', 'CLUSTER', 'AUTHINFO', 'NAMESPACE'],
        ['*', 'one', 'here', 'admin', world.namespace],
      ]);
      expect(await config('get-clusters')).toBe('NAME\nhere\n');
      expect(await config('get-users')).toBe('NAME\nadmin\n');
      expect(await config('set', 'contexts.one.namespace', 'default')).toBe('Property "contexts.one.namespace" set.\n');
      expect(await config('view', '--minify', '-o', 'jsonpath={..namespace}')).toBe('default');
      expect(await config('view')).toContain('token: REDACTED');
      expect(await config('unset', 'current-context')).toBe('Property "current-context" unset.\n');
      expect((await built.try(['config', 'current-context'])).stderr).toBe('error: current-context is not set\n');
      expect(await config('delete-context', 'one')).toBe(`deleted context one from ${file}\n`);
      expect(await config('delete-cluster', 'here')).toBe(`deleted cluster here from ${file}\n`);
      expect(await config('delete-user', 'admin')).toBe(`deleted user admin from ${file}\n`);
      expect(readFileSync(file, 'utf8')).toMatch(/^clusters: (null|\[\])\ncontexts: (null|\[\])$/m);
    });
  },
};
