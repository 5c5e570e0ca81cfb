/** `auth` in all its forms: who may, who one is, and what is reconciled; acting as others, and tokens that open. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { type Group, rowsOf } from './world.ts';

export const auth: Group = {
  name: 'auth',
  define(world) {
    const robot = `system:serviceaccount:${world.namespace}:robot`;
    const wide = `${world.namespace}-reader`;

    beforeAll(async () => {
      const pods = ['--verb=get,list', '--resource=pods'];
      await Promise.all([
        world.run(['create', 'serviceaccount', 'robot']),
        world.run(['create', 'role', 'reader', ...pods]),
        world.run([
          'create',
          'rolebinding',
          'reader',
          '--role=reader',
          `--serviceaccount=${world.namespace}:robot`,
          '--user=ann',
        ]),
        world.run(['create', 'clusterrole', wide, ...pods]),
        world.run(['create', 'clusterrolebinding', wide, `--clusterrole=${wide}`, '--group=ops']),
      ]);
    });

    test('get shows roles and bindings', async () => {
      const [head, row] = rowsOf(await world.run(['get', 'role']));
      expect(head).toEqual(['NAME', 'CREATED AT']);
      expect(row?.[0]).toBe('reader');
      expect(row?.[1]).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z$/);
      const table = rowsOf(await world.run(['get', 'rolebinding', '-o', 'wide']));
      expect(table[0]).toEqual(['NAME', 'ROLE', 'AGE', 'USERS', 'GROUPS', 'SERVICEACCOUNTS']);
      expect(table[1]).toEqual(expect.arrayContaining(['reader', 'Role/reader', 'ann', `${world.namespace}/robot`]));
      expect(await world.run(['describe', 'rolebinding', 'reader'])).toMatch(/ServiceAccount +robot/);
    });

    test('auth can-i answers for oneself and for others', async () => {
      const can = (...args: string[]) => world.attempt(['auth', 'can-i', ...args]);
      const answers: [args: string[], code: number, stdout: string][] = [
        [['*', '*', '--all-namespaces'], 0, 'yes\n'],
        [['list', 'pods', `--as=${robot}`], 0, 'yes\n'],
        [['delete', 'pods', `--as=${robot}`], 1, 'no\n'],
        [['get', 'pods', '--subresource=log', '--as=ann'], 1, 'no\n'],
        [['list', 'pods', '--as=eve', '--as-group=ops'], 0, 'yes\n'],
        [['get', '/healthz', '--as=eve'], 0, 'yes\n'],
        [['get', '/metrics', '--as=eve'], 1, 'no\n'],
        [['get', 'pods', '--subresource=log', '--quiet'], 0, ''],
      ];
      const got = await Promise.all(answers.map(([args]) => can(...args)));
      expect(got.map(({ code, stdout }, at) => [answers[at]?.[0], code, stdout])).toEqual(answers);
      const list = (await can('--list', `--as=${robot}`)).stdout;
      expect(list).toMatch(/pods +\[\] +\[\] +\[get list\]/);
      expect(list).toMatch(/selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]/);
    });

    test('auth whoami says who one is, and whom one acts as', async () => {
      const self = await world.run(['auth', 'whoami']);
      expect(self).toMatch(/Username +kubernetes-admin/);
      expect(self).toContain('system:masters');
      const other = await world.run(['auth', 'whoami', '--as=ann', '--as-group=devs', '--as-uid=7']);
      expect(other).toMatch(/Username +ann/);
      expect(other).toMatch(/UID +7/);
      expect(other).toMatch(/Groups +\[devs system:authenticated\]/);
    });

    test('a created token opens what its account may, and nothing else', async () => {
      const token = (await world.run(['create', 'token', 'robot', '--duration=15m'])).trim();
      const { kubeconfig, controlPlane } = world.lab;
      // The kubeconfig has a token of its own, which would go before one that is given.
      const own = world.file(
        'robot.kubeconfig',
        readFileSync(kubeconfig, 'utf8').replaceAll(controlPlane.adminToken, token),
      );
      const asRobot = world.kubectlWith(own);
      const here = ['-n', world.namespace];
      expect(await asRobot.run(['auth', 'whoami'])).toContain(robot);
      expect(await asRobot.run([...here, 'get', 'pods'])).toBe('');
      const refused = await asRobot.try([...here, 'get', 'secrets']);
      expect(refused).toMatchObject({
        code: 1,
        stderr: `Error from server (Forbidden): secrets is forbidden: User "${robot}" cannot list resource "secrets" in API group "" in the namespace "${world.namespace}"\n`,
      });
    });

    test('auth reconcile makes what is missing, and knows when there is nothing to do', async () => {
      const role = (...verbs: string[]) =>
        world.file(
          'role.yaml',
          `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reconciled, namespace: ${world.namespace} }
rules:
  - { apiGroups: [""], resources: [configmaps], verbs: [${verbs.join(', ')}] }
`,
        );
      const reconciled = 'role.rbac.authorization.k8s.io/reconciled reconciled\n';
      expect(await world.run(['auth', 'reconcile', '-f', role('get')])).toContain(reconciled);
      expect(await world.field('role/reconciled', '{.rules}')).toBe(
        '[{"apiGroups":[""],"resources":["configmaps"],"verbs":["get"]}]',
      );
      const again = await world.attempt(['auth', 'reconcile', '-f', role('list')]);
      expect(again).toMatchObject({ code: 0, stdout: reconciled });
      expect(again.stderr).toContain('missing rules added:\n');
      expect(await world.field('role/reconciled', '{.rules[*].verbs[0]}')).toBe('get list');
      expect((await world.attempt(['auth', 'reconcile', '-f', role('list')])).code).toBe(0);
    });
  },
};
