/**
 * The table of bad input against the real process, over TLS: each answer is the Status that a Kubernetes apiserver gives,
 * and nothing is stored. Besides, what only a raw connection can send: paths as no client library would leave them.
 */
import { Agent, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BAD_INPUT, type BadAsk, CONFIG_MAPS, configMap } from '../support/bad-input.ts';
import { type ControlPlane, startControlPlane } from '../support/longshore.ts';

let controlPlane: ControlPlane;
let agent: Agent;
let revision: string;

const newest = async () => {
  const { body } = await controlPlane.api('GET', '/api/v1/nodes');
  return (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
};

beforeAll(async () => {
  controlPlane = await startControlPlane();
  agent = new Agent({ keepAlive: true, ca: controlPlane.ca });
  const created = await controlPlane.api('POST', CONFIG_MAPS, configMap('there', { data: { a: 'b' } }));
  expect(created.status).toBe(201);
  revision = await newest();
});
afterAll(async () => {
  expect(await newest(), 'something was stored').toBe(revision);
  agent.destroy();
  await controlPlane.dispose();
});

interface Answer {
  code: number;
  text: string;
}

/** The path goes out byte for byte. `token`: undefined for the administrator's, '' for none. */
function send(method: string, path: string, ask: BadAsk & { token?: string } = {}): Promise<Answer> {
  const body = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
  const token = ask.token ?? controlPlane.adminToken;
  return new Promise((resolve, reject) => {
    const made = request(
      {
        host: '127.0.0.1',
        port: controlPlane.apiPort,
        agent,
        method,
        path,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...ask.headers,
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('end', () =>
          resolve({ code: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
        );
        response.once('error', reject);
      },
    );
    made.once('error', reject);
    made.end(body);
  });
}

describe.each(BAD_INPUT.map(([group, rows]) => ({ group, rows })))('$group:', ({ rows }) => {
  test.each(rows)('%s', async (_what, method, path, ask, code, reason, message) => {
    const answer = await send(method, path, ask);
    const status = JSON.parse(answer.text) as { message: string; reason?: string };
    expect(status).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code });
    expect(answer.code).toBe(code);
    expect(status.reason ?? '').toBe(reason);
    if (typeof message === 'string') expect(status.message).toBe(message);
    else expect(status.message).toMatch(message);
  });
});

describe('a token:', () => {
  test.each([
    ['none', ''],
    ['nonsense', 'nonsense'],
    ['a JWT signed by somebody else', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.AAAA'],
  ])('%s', async (_what, token) => {
    const answer = await send('GET', CONFIG_MAPS, { token });
    const anonymous = token === '';
    expect(answer.code).toBe(anonymous ? 403 : 401);
    expect(JSON.parse(answer.text)).toMatchObject(
      anonymous
        ? {
            reason: 'Forbidden',
            message:
              'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
          }
        : { reason: 'Unauthorized', message: 'Unauthorized' },
    );
  });

  test('the administrator’s with one character changed', async () => {
    const token = controlPlane.adminToken;
    const at = token.length - 20;
    const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    expect((await send('GET', CONFIG_MAPS, { token: changed })).code).toBe(401);
  });

  test('health and version are readable without one', async () => {
    for (const path of ['/healthz', '/livez', '/readyz', '/version'])
      expect((await send('GET', path, { token: '' })).code, path).toBe(200);
  });
});

describe('a path trick', () => {
  test.each([
    '/api/v1/namespaces/default/../kube-system/secrets',
    '/api/v1/namespaces/default/configmaps/%2e%2e/secrets',
    '/api/v1/namespaces/%64efault/configmaps/..%2f..%2fsecrets',
    '//api/v1/nodes',
    '/api//v1/nodes',
    '/clusters/../api/v1/nodes',
    '/clusters/Default/api/v1/nodes',
    '/internal/anything',
  ])('%s leads to nothing', async (path) => {
    const answer = await send('GET', path, { token: '' });
    expect([301, 400, 403, 404], answer.text).toContain(answer.code);
    expect(answer.text).not.toContain('"items"');
  });

  test('a header cannot claim who somebody is', async () => {
    const user = Buffer.from(JSON.stringify({ username: 'root', groups: ['system:masters'] })).toString('base64url');
    expect((await send('GET', CONFIG_MAPS, { token: '', headers: { 'x-longshore-user': user } })).code).toBe(403);
  });

  test('tokens do not travel in the clear: the public port serves no API', async () => {
    const answer = await fetch(`http://127.0.0.1:${controlPlane.publicPort}${CONFIG_MAPS}`, {
      headers: { authorization: `Bearer ${controlPlane.adminToken}` },
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('Client sent an HTTP request to an HTTPS server.');
  });
});
