import { expect, test } from 'vitest';
import { requestHeaders, responseHeaders } from '../../../worker/links/proxy-headers.ts';

const sent = (headers: Record<string, string>, prefix = '') =>
  new Map(requestHeaders(new Request('https://web.example/a?b', { headers }), prefix));

test('a request keeps its host and learns how it came', () => {
  const headers = sent({ host: 'web.example', 'cf-connecting-ip': '203.0.113.9' }, '/public/c/n/web');
  expect(headers.get('host')).toBe('web.example');
  expect(headers.get('x-forwarded-host')).toBe('web.example');
  expect(headers.get('x-forwarded-proto')).toBe('https');
  expect(headers.get('x-forwarded-for')).toBe('203.0.113.9');
  expect(headers.get('x-forwarded-prefix')).toBe('/public/c/n/web');
});

test('a client cannot say on the proxy’s behalf where it comes from', () => {
  const headers = sent({
    'x-forwarded-proto': 'gopher',
    'x-forwarded-host': 'x',
    'x-forwarded-prefix': '/x',
    'cf-connecting-ip': '203.0.113.9',
    'x-forwarded-for': '1.1.1.1',
  });
  expect(headers.get('x-forwarded-proto')).toBe('https');
  expect(headers.get('x-forwarded-host')).toBe('web.example');
  expect(headers.get('x-forwarded-for')).toBe('203.0.113.9');
  expect(headers.has('x-forwarded-prefix')).toBe(false);
});

test('what belongs to one connection is left out, and what Connection names', () => {
  const given = {
    te: 'trailers',
    'x-mine': '1',
    'x-kept': '2',
    'sec-websocket-key': 'k',
    'sec-websocket-protocol': 'chat',
  };
  const request = new Request('https://web.example/', { headers: given });
  // The platform's Request drops `connection` itself in Node, so it is given as the Worker sees it.
  const seen = new Headers([...request.headers, ['connection', 'keep-alive, X-Mine']]);
  const headers = new Map(requestHeaders({ headers: seen, url: request.url } as Request, ''));
  expect(headers.get('x-kept')).toBe('2');
  expect(headers.get('sec-websocket-protocol')).toBe('chat');
  for (const name of ['te', 'x-mine', 'connection', 'sec-websocket-key']) expect(headers.has(name)).toBe(false);
});

test('an answer keeps each of its cookies', () => {
  const headers = responseHeaders([
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
    ['Connection', 'x-internal'],
    ['X-Internal', 'secret'],
    ['Content-Encoding', 'gzip'],
  ]);
  expect(headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(headers.has('x-internal')).toBe(false);
  expect(headers.get('content-encoding')).toBe('gzip');
});
