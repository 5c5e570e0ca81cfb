import { expect, test } from 'vitest';
import { negotiate } from '../../../worker/http/negotiation.ts';

const FORMS = ['Table', 'PartialObjectMetadata'];
const ask = (accept: string | undefined, query = '', agent = 'kubectl/v1.33') => {
  const headers = new Headers({ 'user-agent': agent, ...(accept === undefined ? {} : { accept }) });
  const { as, version, pretty, yaml, protobuf } = negotiate(headers, new URLSearchParams(query), FORMS);
  return [protobuf ? 'protobuf' : yaml ? 'yaml' : 'json', as === '' ? '' : as + version, pretty ? 'pretty' : '']
    .filter((each) => each !== '')
    .join(' ');
};

test.each([
  [undefined, 'json'],
  ['*/*', 'json'],
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'json Tablev1'],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io', 'json Tablev1beta1'],
  ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json', 'json'],
  ['application/json;as=Nonsense;v=v1;g=meta.k8s.io,application/json', 'json'],
  ['application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1', 'json PartialObjectMetadatav1'],
  ['application/vnd.kubernetes.protobuf,application/json', 'json'],
  ['application/vnd.kubernetes.protobuf;q=1, application/json;q=0.5', 'protobuf'],
  ['application/vnd.kubernetes.protobuf;q=0.5, application/json;q=0.5', 'json'],
  ['application/yaml;q=0.9,application/json;q=0.1', 'yaml'],
  ['application/vnd.kubernetes.protobuf', 'protobuf'],
])('%s gets %s', (accept, expected) => {
  expect(ask(accept)).toBe(expected);
});

test.each(['image/png', 'application/json;q=0', 'application/json;as=Table;v=v2;g=meta.k8s.io'])(
  '%s cannot be had',
  (accept) => {
    expect(() => ask(accept)).toThrow('only the following media types are accepted');
  },
);

test('people at a terminal get lines', () => {
  expect(ask(undefined, '', 'curl/8.0')).toBe('json pretty');
  expect(ask(undefined, 'pretty=false', 'curl/8.0')).toBe('json');
  expect(ask(undefined, 'pretty=true')).toBe('json pretty');
});
