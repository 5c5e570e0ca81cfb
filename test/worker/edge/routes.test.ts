import { describe, expect, test } from 'vitest';
import { matchPublic, mayBePublic, RouteMemory } from '../../../worker/edge/routes.ts';
import type { Outcome, ServiceLocation } from '../../../worker/rpc.ts';

const HOSTS = 'http://{name}.{namespace}.localhost:8080';
const PATHS = 'https://longshore.example.workers.dev/public/{cluster}/{namespace}/{name}/';
const match = (template: string, url: string) => matchPublic(template, new URL(url));

describe('a public URL', () => {
  test.each([
    [
      HOSTS,
      'http://web.default.localhost:8080/a/b?q=1',
      { cluster: 'default', namespace: 'default', name: 'web', target: '/a/b?q=1', prefix: '' },
    ],
    [
      HOSTS,
      'http://web.default.localhost:9999/',
      { cluster: 'default', namespace: 'default', name: 'web', target: '/', prefix: '' },
    ],
    [
      PATHS,
      'https://longshore.example.workers.dev/public/c1/shop/web/a?q=1',
      { cluster: 'c1', namespace: 'shop', name: 'web', target: '/a?q=1', prefix: '/public/c1/shop/web' },
    ],
    [
      PATHS,
      'https://longshore.example.workers.dev/public/c1/shop/web',
      { cluster: 'c1', namespace: 'shop', name: 'web', target: '/', prefix: '/public/c1/shop/web' },
    ],
    [
      PATHS,
      'https://longshore.example.workers.dev/public/c1/shop/web?q',
      { cluster: 'c1', namespace: 'shop', name: 'web', target: '/?q', prefix: '/public/c1/shop/web' },
    ],
  ])('by %s: %s', (template, url, route) => {
    expect(match(template, url)).toEqual(route);
    expect(mayBePublic(template, url)).toBe(true);
    expect(mayBePublic(template, url.replace('localhost', 'LocalHost').replace('longshore', 'Longshore'))).toBe(true);
    expect(mayBePublic(template, 'https://127.0.0.1:6443/api/v1/pods')).toBe(false);
  });

  test.each([
    [HOSTS, 'http://localhost:8080/'],
    [HOSTS, 'http://default.localhost:8080/'],
    [HOSTS, 'http://a.web.default.localhost:8080/'],
    [HOSTS, 'http://web.default.localhost.evil.example/'],
    [HOSTS, 'http://127.0.0.1:8080/public/c/ns/name/'],
    [PATHS, 'https://longshore.example.workers.dev/api/v1/pods'],
    [PATHS, 'https://longshore.example.workers.dev/public/c1/shop'],
    [PATHS, 'https://longshore.example.workers.dev/public/c1/shop/web.x/'],
    [PATHS, 'https://longshore.example.workers.dev/x/public/c1/shop/web/'],
    [PATHS, 'https://other.example/public/c1/shop/web/'],
  ])('by %s is not %s', (template, url) => {
    expect(match(template, url)).toBeUndefined();
  });
});

describe('what is remembered of routes', () => {
  const route = { cluster: 'c', namespace: 'n', name: 'web', target: '/', prefix: '' };
  const found: Outcome<ServiceLocation> = {
    ok: true,
    value: { endpoints: [{ node: 'm1', address: '10.244.0.2', port: 80 }] },
  };
  function asking(outcome: Outcome<ServiceLocation> = found) {
    let asked = 0;
    return {
      ask: async () => {
        asked++;
        return outcome;
      },
      asked: () => asked,
    };
  }

  test('is asked for once in a few seconds', async () => {
    const memory = new RouteMemory();
    const { ask, asked } = asking();
    expect(await memory.locate(route, 0, ask)).toBe(found);
    expect(await memory.locate({ ...route, target: '/other' }, 2000, ask)).toBe(found);
    expect(asked()).toBe(1);
    await memory.locate(route, 10_000, ask);
    expect(asked()).toBe(2);
  });

  test('is asked for again after it has proved wrong', async () => {
    const memory = new RouteMemory();
    const { ask, asked } = asking();
    await memory.locate(route, 0, ask);
    memory.drop(route);
    await memory.locate(route, 1, ask);
    expect(asked()).toBe(2);
  });

  test('is kept apart by cluster, namespace and name', async () => {
    const memory = new RouteMemory();
    const { ask, asked } = asking();
    for (const more of [{}, { cluster: 'd' }, { namespace: 'm' }, { name: 'v' }]) {
      await memory.locate({ ...route, ...more }, 0, ask);
    }
    expect(asked()).toBe(4);
  });
});
