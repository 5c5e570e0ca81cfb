/** Settings commands: `label` and `annotate`. */
import { beforeAll, expect, test } from 'vitest';
import { type Group, rowsOf } from './world.ts';

export const settings: Group = {
  name: 'settings',
  define(world) {
    beforeAll(async () => {
      await Promise.all(['one', 'two'].map((name) => world.run(['create', 'configmap', name])));
    });

    test('label sets, overwrites when told to, lists and takes away', async () => {
      const label = (...args: string[]) => world.attempt(['label', ...args]);
      expect((await label('cm', 'one', 'tier=back')).stdout).toBe('configmap/one labeled\n');
      expect((await label('cm', 'one', 'tier=back')).stdout).toBe('configmap/one not labeled\n');
      expect((await label('cm', 'one', 'tier=front')).stderr).toBe(
        "error: 'tier' already has a value (back), and --overwrite is false\n",
      );
      expect((await label('cm', 'one', 'tier=front', '--overwrite')).stdout).toBe('configmap/one labeled\n');
      expect((await label('cm', 'one', '--list')).stdout).toBe('tier=front\n');
      expect((await label('cm', 'one', 'two', 'both=yes')).stdout).toBe(
        'configmap/one labeled\nconfigmap/two labeled\n',
      );
      expect(rowsOf(await world.run(['get', 'cm', '-l', 'both=yes', '-L', 'tier'])).map((row) => row[0])).toEqual([
        ...['NAME', 'one', 'two'],
      ]);
      expect((await label('cm', '-l', 'both=yes', 'both-')).stdout).toBe(
        'configmap/one unlabeled\nconfigmap/two unlabeled\n',
      );
      expect((await label('cm', 'one', 'a=b', '--resource-version=1')).stderr).toContain(
        'Operation cannot be fulfilled',
      );
      expect((await label('cm', 'one', 'a=b c')).stderr).toContain(
        'a valid label must be an empty string or consist of',
      );
      expect((await label('cm', 'one', 'dry=run', '--dry-run=server')).stdout).toBe(
        'configmap/one labeled (server dry run)\n',
      );
    });

    test('annotate sets, overwrites when told to, lists and takes away', async () => {
      const annotate = (...args: string[]) => world.attempt(['annotate', ...args]);
      expect((await annotate('cm', 'one', 'note=what it is')).stdout).toBe('configmap/one annotated\n');
      expect((await annotate('cm', 'one', 'note=other')).stderr).toBe(
        "error: --overwrite is false but found the following declared annotation(s): 'note' already has a value (what it is)\n",
      );
      expect((await annotate('cm', 'one', 'note=other', '--overwrite')).stdout).toBe('configmap/one annotated\n');
      expect((await annotate('cm', 'one', '--list')).stdout).toBe('note=other\n');
      expect(await world.field('cm/one', '{.metadata.annotations.note}')).toBe('other');
      expect((await annotate('cm', '--all', 'all=yes')).stdout).toContain('configmap/two annotated\n');
      expect((await annotate('cm', 'one', 'note-')).stdout).toBe('configmap/one annotated\n');
      expect(await world.field('cm/one', '{.metadata.annotations.note}')).toBe('');
    });
  },
};
