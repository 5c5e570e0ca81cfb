/** Basic commands for beginners besides `create`: `expose`, `run` and `set`. */
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, OTHER_BUSYBOX } from '../../support/images.ts';
import type { Group } from './world.ts';

/** No node has the label. */
const NOWHERE = '{"spec":{"nodeSelector":{"nowhere":"yes"}}}';
const POD_END = '{"spec":{"terminationGracePeriodSeconds":0}}';

/** Runs nothing: what is asked here is the template. */
const OBJECTS = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 0
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - { name: main, image: ${BUSYBOX}, ports: [{ containerPort: 8080, name: http }] }
        - { name: sidecar, image: ${BUSYBOX} }
---
apiVersion: v1
kind: ReplicationController
metadata: { name: old }
spec:
  replicas: 0
  selector: { app: old }
  template:
    metadata: { labels: { app: old } }
    spec: { containers: [{ name: main, image: ${BUSYBOX} }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { colour: red, size: "7" }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: robot }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
`;

export const basic: Group = {
  name: 'basic',
  define(world) {
    beforeAll(() => world.run(['apply', '-f', '-'], OBJECTS));

    test('run makes a pod, by command, with labels, ports and a Service before it', async () => {
      const flags = [`--image=${BUSYBOX}`, '--labels=app=server', '--port=8080', '--env=A=1', `--overrides=${NOWHERE}`];
      expect(await world.run(['run', 'server', ...flags, '--expose', '--command', '--', 'sleep', '1000'])).toBe(
        'service/server created\npod/server created\n',
      );
      expect(await world.field('service/server', '{.spec.selector.app} {.spec.ports[0].port}')).toBe('server 8080');
      expect(await world.field('pod/server', '{.spec.containers[0].env[0].value} {.spec.containers[0].command}')).toBe(
        '1 ["sleep","1000"]',
      );
    });

    test('[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never [Conformance]', async () => {
      const flags = [`--image=${BUSYBOX}`, '--labels=run=never', `--overrides=${NOWHERE}`];
      await world.run(['run', 'never', '--restart=Never', ...flags]);
      type Pod = { spec: { restartPolicy: string; containers: { image: string }[] } };
      const pod = await world.json<Pod>(['get', 'pod', 'never']);
      expect(pod.spec).toMatchObject({ restartPolicy: 'Never', containers: [{ image: BUSYBOX }] });
      expect(await world.run(['delete', 'pod', 'never', '--now'])).toContain('pod "never" deleted');
    });

    test('run runs a pod to its end, with its output or with its input', async () => {
      const once = ['run', 'once', `--image=${BUSYBOX}`, '--restart=Never', '--', 'sh', '-c', 'echo done; exit 4'];
      expect(await world.run(once)).toBe('pod/once created\n');
      await world.run(['wait', 'pod/once', '--for=jsonpath={.status.phase}=Failed', '--timeout=60s']);
      expect(await world.run(['logs', 'once'])).toBe('done\n');
      expect((await world.run(['get', 'pod', 'once'])).split('\n')[1]).toMatch(/^once\s+0\/1\s+Error\s+0\s+\S+$/);
      const asks = ['run', '-i', '--rm', 'asks', `--image=${BUSYBOX}`, '--restart=Never', '-q', '--', 'cat'];
      expect(await world.run(asks, 'back\n')).toContain('back');
      expect((await world.attempt(['get', 'pod', 'asks'])).stderr).toContain('pods "asks" not found');
    });

    test('expose makes a Service of what has a selector', async () => {
      expect(await world.run(['expose', 'deployment', 'web', '--port=80', '--target-port=http', '--name=front'])).toBe(
        'service/front exposed\n',
      );
      expect(await world.field('service/front', '{.spec.selector} {.spec.ports[0].targetPort}')).toBe(
        '{"app":"web"} http',
      );
      expect(await world.run(['expose', 'rc', 'old', '--port=80', '--type=NodePort'])).toBe('service/old exposed\n');
      expect(await world.field('service/old', '{.spec.type}')).toBe('NodePort');
      expect(await world.run(['expose', 'pod', 'server', '--port=90', '--name=second'])).toBe(
        'service/second exposed\n',
      );
      expect(await world.run(['expose', 'service', 'second', '--port=91', '--name=third', '--protocol=UDP'])).toBe(
        'service/third exposed\n',
      );
      expect(await world.field('service/third', '{.spec.ports[0].protocol} {.spec.selector.app}')).toBe('UDP server');
    });

    test('a Service that is exposed as a load balancer answers the outside', async () => {
      const page = 'mkdir -p /www; echo outside > /www/index.html; exec httpd -f -p 8080 -h /www';
      const flags = [`--image=${BUSYBOX}`, '--port=8080', `--overrides=${POD_END}`];
      await world.run(['run', 'page', ...flags, '--', 'sh', '-c', page]);
      await world.run(['wait', 'pod/page', '--for=condition=Ready', '--timeout=60s']);
      expect(await world.run(['expose', 'pod', 'page', '--port=80', '--target-port=8080', '--type=LoadBalancer'])).toBe(
        'service/page exposed\n',
      );
      const url = await eventually('the URL', async () => {
        const text = await world.field('service/page', '{.metadata.annotations.longshore\\.dev/url}');
        return text === '' ? undefined : text;
      });
      await eventually('the page', async () => (await world.lab.fetchPublic(url)).status === 200);
      expect(await world.lab.fetchPublic(url)).toMatchObject({ status: 200, body: 'outside\n' });
    });

    test('set env, image, resources and serviceaccount change a template', async () => {
      const main = '{.spec.template.spec.containers[?(@.name=="main")]';
      expect(await world.run(['set', 'env', 'deployment/web', 'A=1', '-c', 'main'])).toBe(
        'deployment.apps/web env updated\n',
      );
      expect(await world.run(['set', 'env', 'deployment/web', '--from=configmap/settings', '--prefix=SET_'])).toBe(
        'deployment.apps/web env updated\n',
      );
      const listed = await world.run(['set', 'env', 'deployment/web', '--list', '-c', 'main', '--resolve']);
      // kubectl goes through a configmap's keys in no order.
      expect(listed.trim().split('\n').sort()).toEqual([
        ...['# Deployment web, container main', 'A=1', 'SET_COLOUR=red', 'SET_SIZE=7'],
      ]);
      await world.run(['set', 'env', 'deployment/web', 'A-', '-c', 'main']);
      expect(await world.field('deployment/web', `${main}.env[*].name}`)).toMatch(
        /^(SET_COLOUR SET_SIZE|SET_SIZE SET_COLOUR)$/,
      );
      expect(await world.run(['set', 'image', 'deployment/web', `main=${OTHER_BUSYBOX}`])).toBe(
        'deployment.apps/web image updated\n',
      );
      expect(await world.field('deployment/web', `${main}.image}`)).toBe(OTHER_BUSYBOX);
      const sizes = ['--limits=cpu=200m,memory=64Mi', '--requests=cpu=100m'];
      expect(await world.run(['set', 'resources', 'deployment', 'web', '-c', 'main', ...sizes])).toBe(
        'deployment.apps/web resource requirements updated\n',
      );
      expect(await world.field('deployment/web', `${main}.resources}`)).toBe(
        '{"limits":{"cpu":"200m","memory":"64Mi"},"requests":{"cpu":"100m"}}',
      );
      expect(await world.run(['set', 'serviceaccount', 'deployment', 'web', 'robot'])).toBe(
        'deployment.apps/web serviceaccount updated\n',
      );
      expect(await world.field('deployment/web', '{.spec.template.spec.serviceAccountName}')).toBe('robot');
    });

    test('set selector and subject change a Service and a binding', async () => {
      expect(await world.run(['set', 'selector', 'service', 'front', 'app=other,tier=web'])).toBe(
        'service/front selector updated\n',
      );
      expect(await world.field('service/front', '{.spec.selector}')).toBe('{"app":"other","tier":"web"}');
      const subjects = ['--user=ann', '--group=devs', `--serviceaccount=${world.namespace}:robot`];
      expect(await world.run(['set', 'subject', 'rolebinding', 'reader', ...subjects])).toBe(
        'rolebinding.rbac.authorization.k8s.io/reader subjects updated\n',
      );
      expect(await world.field('rolebinding/reader', '{.subjects[*].name}')).toBe('ann devs robot');
    });
  },
};
