/** What is malformed, misplaced or too large: the Status that a Kubernetes apiserver gives, and nothing stored. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeList, KubeObject } from '../../shared/api/meta.ts';
import { BAD_INPUT, CONFIG_MAPS, configMap } from '../support/bad-input.ts';
import { TestApi } from './support/api.ts';

const api = new TestApi('bad');
let revision: string;
const newest = async () => (await api.json<KubeList<KubeObject>>('GET', '/api/v1/nodes')).metadata.resourceVersion;

beforeAll(async () => {
  await api.json('POST', CONFIG_MAPS, { body: configMap('there', { data: { a: 'b' } }) });
  revision = (await newest()) ?? '';
});
afterAll(async () => {
  expect(await newest(), 'something was stored').toBe(revision);
});

describe.each(BAD_INPUT.map(([group, rows]) => ({ group, rows })))('$group:', ({ rows }) => {
  test.each(rows)('%s', async (_what, method, path, ask, code, reason, message) => {
    const status = await api.refusal(method, path, ask);
    expect(status).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', http: code, code });
    expect(status.reason ?? '', status.message).toBe(reason);
    if (typeof message === 'string') expect(status.message).toBe(message);
    else expect(status.message).toMatch(message);
  });
});

test('an API group that nobody serves is no Status, as upstream', async () => {
  const answer = await api.fetch('GET', '/apis/nobody.example/v1/things');
  expect([answer.status, await answer.text()]).toEqual([404, '404 page not found\n']);
});

test('Warn sends a header for each problem, and stores what is known', async () => {
  const answer = await api.fetch('POST', `${CONFIG_MAPS}?dryRun=All`, {
    raw: '{"metadata":{"name":"warned"},"data":{"a":"1"},"dta":{"\\"":1},"data":{"a":"2"}}',
  });
  expect(answer.status).toBe(201);
  expect(answer.headers.get('warning')).toBe('299 - "duplicate field \\"data\\"", 299 - "unknown field \\"dta\\""');
  expect(await answer.json()).toMatchObject({ data: { a: '2' } });
});

test('Ignore says nothing', async () => {
  const answer = await api.fetch('POST', `${CONFIG_MAPS}?dryRun=All&fieldValidation=Ignore`, {
    body: configMap('ignored', { dta: 1 }),
  });
  expect(answer.headers.get('warning')).toBeNull();
  expect(await answer.json()).not.toHaveProperty('dta');
});
