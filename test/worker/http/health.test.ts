import { expect, test } from 'vitest';
import { healthAnswer } from '../../../worker/http/health.ts';

const CHECKS = { ping: () => undefined, etcd: () => undefined, broken: () => 'it is broken' };
const answer = async (path: string, query = '') => {
  const found = healthAnswer(path, new URLSearchParams(query), CHECKS);
  return found === undefined ? undefined : [found.status, await found.text()];
};

test.each([
  ['/livez/ping', '', [200, 'ok']],
  ['/livez/broken', '', [500, 'internal server error: it is broken\n']],
  ['/readyz', 'exclude=broken', [200, 'ok']],
  ['/readyz', 'verbose&exclude=broken', [200, '[+]ping ok\n[+]etcd ok\n[+]broken excluded: ok\nreadyz check passed\n']],
  ['/healthz', '', [500, '[+]ping ok\n[+]etcd ok\n[-]broken failed: reason withheld\nhealthz check failed\n']],
  ['/livez/nonsense', '', undefined],
  ['/livez/toString', '', undefined],
  ['/other', '', undefined],
])('%s?%s', async (path, query, expected) => {
  expect(await answer(path, query)).toEqual(expected);
});
