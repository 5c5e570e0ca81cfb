/** Advanced commands: `diff`, `apply` and what is below it, `patch`, `replace`, `wait` and `kustomize`. */
import { expect, test } from 'vitest';
import { BUSYBOX, OTHER_BUSYBOX } from '../../support/images.ts';
import type { Group } from './world.ts';

const map = (name: string, value: string, more = '') => `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, labels: { set: pruned } }
data: { value: "${value}" }
${more}`;

const deployment = (image: string, more = '') => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: differs }
spec:
  replicas: 0${more}
  selector: { matchLabels: { app: differs } }
  template:
    metadata: { labels: { app: differs } }
    spec: { containers: [{ name: main, image: ${image} }] }
`;

export const advanced: Group = {
  name: 'advanced',
  define(world) {
    const apply = (text: string, ...flags: string[]) => world.attempt(['apply', ...flags, '-f', '-'], text);

    test('apply makes, says unchanged, configures, and refuses unknown fields', async () => {
      const both = (value: string) => `${map('one', value)}---${deployment(BUSYBOX)}`;
      expect((await apply(both('1'))).stdout).toBe('configmap/one created\ndeployment.apps/differs created\n');
      expect((await apply(both('1'))).stdout).toBe('configmap/one unchanged\ndeployment.apps/differs unchanged\n');
      expect((await apply(both('2'))).stdout).toBe('configmap/one configured\ndeployment.apps/differs unchanged\n');
      const bad = await apply(deployment(BUSYBOX, '\n  replicaz: 3'));
      expect(bad.code).toBe(1);
      expect(bad.stderr).toContain('strict decoding error: unknown field "spec.replicaz"');
      expect((await apply(map('two', '1'), '--dry-run=server')).stdout).toBe(
        'configmap/two created (server dry run)\n',
      );
      expect((await world.attempt(['get', 'cm', 'two'])).stderr).toContain('configmaps "two" not found');
    });

    test('apply view-last-applied, set-last-applied and edit-last-applied work on what it remembers', async () => {
      expect(await world.run(['apply', 'view-last-applied', 'cm/one'])).toMatch(
        /^apiVersion: v1\ndata:\n {2}value: "2"\n/,
      );
      expect(JSON.parse(await world.run(['apply', 'view-last-applied', 'cm/one', '-o', 'json']))).toMatchObject({
        data: { value: '2' },
      });
      const file = world.file('last.yaml', map('one', '3'));
      expect(await world.run(['apply', 'set-last-applied', '-f', file])).toBe('configmap/one configured\n');
      expect(await world.run(['apply', 'view-last-applied', 'cm/one'])).toContain('value: "3"');
      expect(await world.field('cm/one', '{.data.value}')).toBe('2');
      const env = { KUBE_EDITOR: `sed -i 's/"3"/"4"/'` };
      expect(await world.run(['apply', 'edit-last-applied', 'cm/one'], undefined, { env })).toBe(
        'configmap/one edited\n',
      );
      expect(await world.run(['apply', 'view-last-applied', 'cm/one'])).toContain('value: "4"');
    });

    test('apply --prune takes away what is no more said', async () => {
      const prune = ['--prune', '-l', 'set=pruned', '--prune-allowlist=core/v1/ConfigMap'];
      expect((await apply(`${map('one', '2')}---${map('two', '2')}`, ...prune)).stdout).toBe(
        'configmap/one configured\nconfigmap/two created\n',
      );
      expect((await apply(map('two', '2'), ...prune)).stdout).toBe('configmap/two unchanged\nconfigmap/one pruned\n');
      expect(await world.run(['get', 'cm', '-l', 'set=pruned', '-o', 'name'])).toBe('configmap/two\n');
    });

    test('apply --applyset keeps the set in an object', async () => {
      const env = { KUBECTL_APPLYSET: 'true' };
      const set = (text: string) =>
        world.run(['apply', '--server-side', '--prune', '--applyset=set', '-f', '-'], text, { env });
      expect(await set(`${map('four', '1')}---${map('five', '1')}`)).toBe(
        'configmap/four serverside-applied\nconfigmap/five serverside-applied\n',
      );
      expect(await set(map('five', '1'))).toBe('configmap/five serverside-applied\nconfigmap/four pruned\n');
      expect(
        await world.field('secret/set', '{.metadata.annotations.applyset\\.kubernetes\\.io/contains-group-kinds}'),
      ).toBe('ConfigMap');
    });

    test('apply --server-side knows conflicts, force, and the move from kubectl’s own apply', async () => {
      const managers = async () => {
        const shown = ['get', 'configmap', 'shared', '--show-managed-fields'];
        const { metadata } = await world.json<{ metadata: { managedFields: { manager: string }[] } }>(shown);
        return metadata.managedFields.map((entry) => entry.manager).sort();
      };
      const serverSide = (value: string, ...more: string[]) => apply(map('shared', value), '--server-side', ...more);
      expect((await serverSide('1')).stdout).toBe('configmap/shared serverside-applied\n');
      const merge = ['patch', 'configmap', 'shared', '--type=merge', '-p', '{"data":{"value":"2"}}'];
      await world.run([...merge, '--field-manager=other']);
      const refused = await serverSide('3');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(
        /^error: Apply failed with 1 conflict: conflict with "other" using v1( at \S+)?: \.data\.value\n/,
      );
      expect((await serverSide('3', '--force-conflicts')).stdout).toBe('configmap/shared serverside-applied\n');
      const different = await world.attempt(['diff', '--server-side', '-f', '-'], map('shared', '4'));
      expect([different.code, different.stdout]).toEqual([
        1,
        expect.stringMatching(/^- {2}value: "3"\n\+ {2}value: "4"$/m),
      ]);
      const shown = ['get', 'configmap', 'shared', '-o', 'yaml'];
      expect(await world.run(shown)).not.toContain('managedFields');
      expect(await world.run([...shown, '--show-managed-fields'])).toMatch(/manager: kubectl\n\s+operation: Apply/);
      await world.run(['delete', 'configmap', 'shared']);
      await apply(map('shared', '5'));
      expect((await serverSide('6')).stdout).toBe('configmap/shared serverside-applied\n');
      expect(await managers()).toEqual(['kubectl', 'kubectl-last-applied']);
    });

    test('[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]', async () => {
      expect(await world.attempt(['diff', '-f', '-'], deployment(BUSYBOX))).toMatchObject({ code: 0, stdout: '' });
      const different = await world.attempt(['diff', '-f', '-'], deployment(OTHER_BUSYBOX));
      expect(different.code).toBe(1);
      expect(different.stdout).toMatch(
        /^-\s+- image: longshore\.test\/busybox:1\n\+\s+- image: longshore\.test\/busybox:2$/m,
      );
      const made = await world.attempt(['diff', '-f', '-'], map('new', '1'));
      expect([made.code, made.stdout]).toEqual([1, expect.stringMatching(/^\+kind: ConfigMap$/m)]);
    });

    test('[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]', async () => {
      const nowhere = '{"spec":{"nodeSelector":{"nowhere":"yes"}}}';
      await world.run(['run', 'dry', `--image=${BUSYBOX}`, '--labels=run=dry', `--overrides=${nowhere}`]);
      const patch = `{"spec":{"containers":[{"name":"dry","image":"${OTHER_BUSYBOX}"}]}}`;
      const image = ['-o', 'jsonpath={.spec.containers[0].image}'];
      expect(await world.run(['patch', 'pod', 'dry', '-p', patch, '--dry-run=server', ...image])).toBe(OTHER_BUSYBOX);
      expect(await world.run(['get', 'pod', 'dry', ...image])).toBe(BUSYBOX);
      await world.run(['delete', 'pod', 'dry', '--now']);
    });

    test('patch patches in three ways, from a file, and subresources', async () => {
      const patch = (object: string, ...flags: string[]) => world.run(['patch', object, ...flags]);
      expect(await patch('cm/two', '--type=merge', '-p', '{"data":{"value":null,"c":"3"}}')).toBe(
        'configmap/two patched\n',
      );
      expect(await patch('cm/two', '--type=merge', '-p', '{"data":{"c":"3"}}')).toBe(
        'configmap/two patched (no change)\n',
      );
      const operations = '[{"op":"test","path":"/data/c","value":"3"},{"op":"add","path":"/data/d","value":"4"}]';
      expect(await patch('cm/two', '--type=json', '-p', operations)).toBe('configmap/two patched\n');
      expect(await world.field('cm/two', '{.data}')).toBe('{"c":"3","d":"4"}');
      const failed = await world.attempt(['patch', 'cm/two', '--type=json', '-p', operations.replace('"3"', '"9"')]);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain('The request is invalid');
      const env = '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}';
      const file = world.file('patch.json', env);
      expect(await patch('deployment/differs', '--patch-file', file)).toBe('deployment.apps/differs patched\n');
      expect(await world.field('deployment/differs', '{.spec.template.spec.containers[*].image}')).toBe(BUSYBOX);
      const scale = ['--subresource=scale', '--type=merge', '-p', '{"spec":{"replicas":0}}'];
      expect(await patch('deployment/differs', ...scale)).toContain('patched');
    });

    test('replace replaces the whole, by force too, and a subresource', async () => {
      const replace = (text: string, ...flags: string[]) => world.attempt(['replace', ...flags, '-f', '-'], text);
      expect((await replace(map('two', '9'))).stdout).toBe('configmap/two replaced\n');
      expect(await world.field('cm/two', '{.data}')).toBe('{"value":"9"}');
      expect((await replace(map('nobody', '9'))).stderr).toBe(
        'Error from server (NotFound): error when replacing "STDIN": configmaps "nobody" not found\n',
      );
      const uid = await world.field('cm/two', '{.metadata.uid}');
      expect((await replace(map('two', '8'), '--force')).stdout).toMatch(
        /^configmap "two" deleted.*\nconfigmap\/two replaced\n$/,
      );
      expect(await world.field('cm/two', '{.metadata.uid}')).not.toBe(uid);
      const stale = await world.run(['get', 'cm/two', '-o', 'json']);
      await world.run(['annotate', 'cm/two', 'a=b']);
      expect((await replace(stale)).stderr).toContain(
        'Operation cannot be fulfilled on configmaps "two": the object has been modified; please apply your changes to the latest version and try again',
      );
      const raw = ['replace', '--raw', `/api/v1/namespaces/${world.namespace}/configmaps/two`, '-f', '-'];
      expect(
        JSON.parse(await world.run(raw, JSON.stringify({ ...JSON.parse(stale), metadata: { name: 'two' } }))),
      ).toMatchObject({
        data: { value: '8' },
      });
      const whole = await world.run(['get', 'deployment/differs', '-o', 'json']);
      expect((await replace(whole, '--subresource=status')).stdout).toBe('deployment.apps/differs replaced\n');
    });

    test('wait waits for a condition, a value, a creation and a deletion', async () => {
      const wait = (...args: string[]) => world.attempt(['wait', '--timeout=30s', ...args]);
      expect((await wait('deployment/differs', '--for=condition=Available')).stdout).toBe(
        'deployment.apps/differs condition met\n',
      );
      expect((await wait('cm/two', '--for=jsonpath={.data.value}=8')).stdout).toBe('configmap/two condition met\n');
      const coming = wait('cm/coming', '--for=create');
      await world.run(['create', 'cm', 'coming']);
      expect((await coming).stdout).toBe('configmap/coming condition met\n');
      const going = wait('cm/coming', '--for=delete');
      await world.run(['delete', 'cm', 'coming']);
      expect(await going).toMatchObject({ code: 0 });
      expect(await world.attempt(['wait', 'cm/two', '--for=jsonpath={.data.value}=7', '--timeout=1s'])).toMatchObject({
        code: 1,
        stderr: 'error: timed out waiting for the condition on configmaps/two\n',
      });
    });

    test('kustomize builds a folder, and apply -k applies it', async () => {
      world.file('base.yaml', map('base', '1'));
      world.file(
        'kustomization.yaml',
        `resources: [base.yaml]
namePrefix: built-
labels: [{ pairs: { from: kustomize } }]
configMapGenerator: [{ name: made, literals: [a=1], options: { disableNameSuffixHash: true } }]
`,
      );
      const folder = world.path('.');
      const built = await world.run(['kustomize', folder]);
      expect(built).toContain('name: built-base\n');
      expect(built).toContain('from: kustomize\n');
      expect(await world.run(['apply', '-k', folder])).toBe(
        'configmap/built-base created\nconfigmap/built-made created\n',
      );
      expect(await world.run(['get', '-k', folder, '-o', 'name'])).toBe('configmap/built-base\nconfigmap/built-made\n');
      expect(await world.run(['delete', '-k', folder])).toMatch(/^configmap "built-base" deleted/);
    });
  },
};
