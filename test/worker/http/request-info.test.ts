import { describe, expect, test } from 'vitest';
import { parseRequestInfo, splitTarget } from '../../../worker/http/request-info.ts';

const summary = (method: string, url: string) => {
  const { path, query } = splitTarget(`https://host${url}`);
  const { verb, group, version, namespace, resource, subresource, name, isResource } = parseRequestInfo(
    method,
    path,
    query,
  );
  return isResource ? [verb, group, version, namespace, resource, subresource, name].join(' ') : `${verb} ${path}`;
};

test.each([
  ['GET', '/api/v1/pods', 'list  v1  pods  '],
  ['GET', '/api/v1/pods?watch=true', 'watch  v1  pods  '],
  ['GET', '/api/v1/pods?watch=false', 'list  v1  pods  '],
  ['GET', '/api/v1/namespaces', 'list  v1  namespaces  '],
  ['GET', '/api/v1/namespaces/a', 'get  v1 a namespaces  a'],
  ['PUT', '/api/v1/namespaces/a/finalize', 'update  v1 a namespaces finalize a'],
  ['PATCH', '/api/v1/namespaces/a/status', 'patch  v1 a namespaces status a'],
  ['GET', '/api/v1/namespaces/a/pods/', 'list  v1 a pods  '],
  ['POST', '/api/v1/namespaces/a/pods', 'create  v1 a pods  '],
  ['DELETE', '/api/v1/namespaces/a/pods', 'deletecollection  v1 a pods  '],
  ['DELETE', '/api/v1/namespaces/a/pods/b', 'delete  v1 a pods  b'],
  ['POST', '/api/v1/namespaces/a/pods/b/exec?command=ls', 'create  v1 a pods exec b'],
  ['GET', '/api/v1/namespaces/a/services/b/proxy/x/y', 'get  v1 a services proxy b'],
  ['HEAD', '/apis/apps/v1/namespaces/a/deployments/b/scale', 'get apps v1 a deployments scale b'],
  ['GET', '/api/v1/watch/pods', 'watch  v1  pods  '],
  ['GET', '/api/v1/watch/namespaces/a/pods/b', 'watch  v1 a pods  b'],
  ['GET', '/apis/apps/v1', 'get /apis/apps/v1'],
  ['GET', '/api', 'get /api'],
  ['POST', '/healthz', 'post /healthz'],
  ['TRACE', '/api/v1/pods', '  v1  pods  '],
])('%s %s', (method, url, expected) => {
  expect(summary(method, url)).toBe(expected);
});

describe('a path that plays tricks', () => {
  test.each([
    ['/api/v1/namespaces/../secrets', 'Namespace parameter invalid: "..": may not be \'..\''],
    ['/api/v1/namespaces/%2e%2e/secrets', 'Namespace parameter invalid: "..": may not be \'..\''],
    ['/api/v1/namespaces/a/pods/..', 'Name parameter invalid: "..": may not be \'..\''],
    ['/api/v1/namespaces/a/pods/.', 'Name parameter invalid: ".": may not be \'.\''],
    ['/api/v1/namespaces/a/pods/b%25c', 'Name parameter invalid: "b%c": may not contain \'%\''],
    ['/api/v1//pods', 'the server could not find the requested resource'],
    ['/api/v1/namespaces//pods', 'the server could not find the requested resource'],
    ['/api/v1/pods%', 'invalid URL escape in "/api/v1/pods%"'],
    ['/api/v1/pods/%ff', 'invalid URL escape in "/api/v1/pods/%ff"'],
  ])('is refused: %s', (url, message) => {
    expect(() => summary('GET', url)).toThrow(message);
  });

  test('an escaped slash is a slash, so that authorization sees what is served', () => {
    expect(summary('GET', '/api/v1/namespaces/a/pods/b%2fexec')).toBe('get  v1 a pods exec b');
  });

  test('nothing is resolved before it is judged', () => {
    expect(splitTarget('https://host/a/../b?c=d#e')).toEqual({ path: '/a/../b', query: 'c=d' });
    expect(splitTarget('https://host?c=d')).toEqual({ path: '/', query: '' });
  });
});
