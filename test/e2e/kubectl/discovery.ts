/** What there is to talk to: `api-resources`, `api-versions` and `version`. */
import { expect, test } from 'vitest';
import { type Group, rowsOf } from './world.ts';

export const discovery: Group = {
  name: 'discovery',
  define(world) {
    test('api-resources lists what is served, and filters', async () => {
      const resources = await world.run(['api-resources']);
      for (const line of [
        /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND$/m,
        /^pods\s+po\s+v1\s+true\s+Pod$/m,
        /^deployments\s+deploy\s+apps\/v1\s+true\s+Deployment$/m,
        /^hooks\s+.*longshore\.dev\/v1\s+true\s+Hook$/m,
      ]) {
        expect(resources).toMatch(line);
      }
      const names = async (...flags: string[]) =>
        (await world.run(['api-resources', '-o', 'name', ...flags])).trim().split('\n');
      expect(await names('--api-group=batch')).toEqual(['cronjobs.batch', 'jobs.batch']);
      expect(await names('--namespaced=false', '--api-group=')).toEqual([
        ...['componentstatuses', 'namespaces', 'nodes', 'persistentvolumes'],
      ]);
      expect(await names('--categories=all')).toEqual([
        ...['pods', 'replicationcontrollers', 'services', 'daemonsets.apps', 'deployments.apps', 'replicasets.apps'],
        ...['statefulsets.apps', 'horizontalpodautoscalers.autoscaling', 'cronjobs.batch', 'jobs.batch'],
        'hooks.longshore.dev',
      ]);
      expect(await names('--verbs=create', '--api-group=authorization.k8s.io')).toHaveLength(4);
      const [head, row] = rowsOf(
        await world.run(['api-resources', '--api-group=apps', '-o', 'wide', '--sort-by=kind']),
      );
      expect(head).toEqual(['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', 'VERBS', 'CATEGORIES']);
      expect(row?.[0]).toBe('controllerrevisions');
      expect(row).toContain('create,delete,deletecollection,get,list,patch,update,watch');
    });

    test('[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]', async () => {
      const versions = (await world.run(['api-versions'])).trim().split('\n');
      expect(versions).toEqual([...versions].sort());
      expect(versions).toEqual(expect.arrayContaining(['v1', 'apps/v1', 'longshore.dev/v1', 'metrics.k8s.io/v1beta1']));
    });

    test('[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]', async () => {
      const text = await world.run(['version']);
      expect(text).toMatch(/^Client Version: v\d+\.\d+\.\d+/m);
      expect(text).toMatch(/^Server Version: v1\.36\.\d+/m);
      const { serverVersion } = JSON.parse(await world.run(['version', '-o', 'json'])) as { serverVersion: object };
      expect(serverVersion).toMatchObject({ major: '1', minor: '36' });
    });
  },
};
