import { describe, expect, test } from 'vitest';
import type { ObjectMeta } from '../../../shared/api/meta.ts';
import { CONFIG_MAPS_DEFINITION } from '../../../worker/resources/configmaps.ts';
import { validateMetadata, validateMetadataUpdate } from '../../../worker/resources/metadata-validation.ts';
import { checkCIDR, checkIP, checkPortName, checkQualifiedName } from '../../../worker/resources/names.ts';
import { NODES_DEFINITION } from '../../../worker/resources/nodes.ts';
import { metadata } from '../../support/builders.ts';
import { lines } from './tables.ts';

const problems = (more: Partial<ObjectMeta>): string[] =>
  lines(validateMetadata(CONFIG_MAPS_DEFINITION, { ...metadata('a'), ...more }));
const QUALIFIED =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const SUBDOMAIN = String.raw`a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;
const owner = { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'u' };

describe('metadata', () => {
  test.each<[string, Partial<ObjectMeta>, string[]]>([
    [
      'is sound',
      { labels: { 'example.com/a': 'b' }, annotations: { A: 'anything at all' }, finalizers: ['x.io/y'] },
      [],
    ],
    ['has no name', { name: '' }, ['metadata.name: Required value: name or generateName is required']],
    ['has a name in capitals', { name: 'A' }, [`metadata.name: Invalid value: "A": ${SUBDOMAIN}`]],
    [
      'has a long name',
      { name: 'a'.repeat(254) },
      [`metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 bytes`],
    ],
    ['has a prefix that ends in a dash', { generateName: 'web-' }, []],
    [
      'has a prefix in capitals',
      { generateName: 'Web-' },
      [`metadata.generateName: Invalid value: "Web-": ${SUBDOMAIN}`],
    ],
    ['has no namespace', { namespace: '' }, ['metadata.namespace: Required value']],
    [
      'has a label key with a space',
      { labels: { 'a b': '' } },
      [`metadata.labels: Invalid value: "a b": ${QUALIFIED}`],
    ],
    [
      'has an annotation key of three parts',
      { annotations: { 'a/b/c': '' } },
      [
        `metadata.annotations: Invalid value: "a/b/c": a qualified name ${QUALIFIED.replace('name part ', '')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ],
    ],
    [
      'has too much in annotations',
      { annotations: { a: 'x'.repeat(262_144) } },
      ['metadata.annotations: Too long: may not be more than 262144 bytes'],
    ],
    [
      'has an owner without uid',
      { ownerReferences: [{ ...owner, uid: '' }] },
      ['metadata.ownerReferences.uid: Invalid value: "": uid must not be empty'],
    ],
    [
      'has two controllers',
      {
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, name: 'b', controller: true },
        ],
      },
      [
        `metadata.ownerReferences: Invalid value: ${JSON.stringify([
          { ...owner, controller: true },
          { ...owner, name: 'b', controller: true },
        ])}: Only one reference can have Controller set to true. Found "true" in references for a and b`,
      ],
    ],
    [
      'is owned by an event',
      { ownerReferences: [{ ...owner, kind: 'Event' }] },
      [
        `metadata.ownerReferences: Invalid value: ${JSON.stringify({ ...owner, kind: 'Event' })}: /v1, Kind=Event is disallowed from being an owner`,
      ],
    ],
    [
      'is to be orphaned and waited for',
      { finalizers: ['orphan', 'foregroundDeletion'] },
      [
        'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
      ],
    ],
  ])('that %s', (_, more, expected) => {
    expect(problems(more)).toEqual(expected);
  });

  test('of a cluster’s own kinds has no namespace', () => {
    expect(lines(validateMetadata(NODES_DEFINITION, metadata('a')))).toEqual([
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
  });

  test('that is on its way out takes no new finalizers', () => {
    const current = metadata('a', { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x.io/a'] });
    expect(lines(validateMetadataUpdate({ ...current, finalizers: ['x.io/c', 'x.io/b'] }, current))).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.io/b", "x.io/c"}',
    ]);
    expect(validateMetadataUpdate({ ...current, finalizers: [] }, current)).toEqual([]);
  });

  test('keeps its identity', () => {
    expect(lines(validateMetadataUpdate({ ...metadata('a'), uid: 'other' }, metadata('a')))).toEqual([
      'metadata.uid: Invalid value: "other": field is immutable',
    ]);
  });
});

describe('a form', () => {
  test.each([
    ['10.9.8.7', true],
    ['10.9.8.256', false],
    ['10.9.8.07', false],
    ['::', true],
    ['2001:db8::ffff', true],
    ['::ffff:10.0.0.1', true],
    ['1:2:3:4:5:6:7:8:9', false],
    ['1::2::3', false],
    ['', false],
  ])('%j is an address: %s', (text, sound) => {
    expect(checkIP(text).length === 0).toBe(sound);
  });

  test.each([
    ['10.0.0.0/8', true],
    ['10.0.0.0/33', false],
    ['::/0', true],
    ['10.0.0.0', false],
    ['10.0.0.0/08', false],
  ])('%j is a network: %s', (text, sound) => {
    expect(checkCIDR(text).length === 0).toBe(sound);
  });

  test('of a port’s name', () => {
    expect(checkPortName('http-2')).toEqual([]);
    expect(checkPortName('80')).toEqual(['must contain at least one letter (a-z)']);
    expect(checkPortName('a--b-')).toEqual([
      'must not contain consecutive hyphens',
      'must not begin or end with a hyphen',
    ]);
    expect(checkPortName('a'.repeat(16))).toEqual(['must be no more than 15 bytes']);
  });

  test('of a qualified name', () => {
    expect(checkQualifiedName('/a')).toEqual(['prefix part must be non-empty']);
    expect(checkQualifiedName('')).toEqual(['name part must be non-empty', QUALIFIED]);
  });
});
