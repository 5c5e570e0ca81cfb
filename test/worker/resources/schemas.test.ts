import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { TABLE } from '../../../worker/resources/generated/schemas.ts';
import { childSchema, definition, mergeRule, type Schema, schemaOfKind } from '../../../worker/resources/schemas.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;

test('the generated files are what their sources give', () => {
  const main = `${ROOT}worker/resources/generate/main.ts`;
  expect(() => execFileSync(process.execPath, [main, '--check'], { stdio: 'pipe' })).not.toThrow();
});

test('the table costs the worker’s script less than 27 KB', () => {
  expect(gzipSync(TABLE, { level: 9 }).length).toBeLessThan(27 * 1024);
});

test('every definition of the table can be read, and what it refers to is there', () => {
  let packageName = '';
  let count = 0;
  for (const line of TABLE.trimEnd().split('\n')) {
    if (line.startsWith('#')) packageName = line.split(' ')[1] ?? '';
    if (/^[!#]/.test(line)) continue;
    const schema = definition(`${packageName}.${/^\w+/.exec(line)?.[0]}`);
    for (const field of schema.fields?.values() ?? []) expect(field.schema.type).toBeTypeOf('string');
    for (const field of schema.wire?.values() ?? []) expect(field.name).not.toBe('');
    count++;
  }
  expect(count).toBeGreaterThan(600);
});

const at = (schema: Schema | undefined, ...path: string[]): Schema | undefined =>
  path.reduce<Schema | undefined>((each, name) => each && childSchema(each.items ?? each, name), schema);

describe('merge rules', () => {
  const spec = at(schemaOfKind('v1', 'Pod'), 'spec');
  const container = at(spec, 'containers')?.items;
  test.each<[string, Schema | undefined, string, object | undefined]>([
    [
      'containers merge by name',
      spec,
      'containers',
      { listType: 'map', listMapKeys: ['name'], patchStrategy: ['merge'], patchMergeKey: 'name' },
    ],
    [
      'volumes keep only what the patch names',
      spec,
      'volumes',
      { patchStrategy: ['merge', 'retainKeys'], patchMergeKey: 'name' },
    ],
    [
      'ports merge by number, and apply by number and protocol',
      container,
      'ports',
      { listMapKeys: ['containerPort', 'protocol'], patchMergeKey: 'containerPort' },
    ],
    ['commands have no rule', container, 'command', undefined],
    [
      'finalizers are a set that merges',
      at(schemaOfKind('v1', 'Pod'), 'metadata'),
      'finalizers',
      { listType: 'set', patchStrategy: ['merge'] },
    ],
    [
      'selectors are atomic maps by their own type',
      at(schemaOfKind('apps/v1', 'Deployment'), 'spec'),
      'selector',
      { mapType: 'atomic' },
    ],
  ])('%s', (_, schema, field, expected) => {
    const rule = schema && mergeRule(schema, field);
    if (expected === undefined) expect(rule?.patchStrategy ?? []).toEqual([]);
    else expect(rule).toMatchObject(expected);
  });
});
