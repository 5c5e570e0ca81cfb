/** An answer for who accepts YAML and nothing else. */
import { stringify } from 'yaml';

export const yamlAnswer = (value: unknown, status: number): Response =>
  new Response(stringify(value, { aliasDuplicateObjects: false }), {
    status,
    headers: { 'content-type': 'application/yaml', 'cache-control': 'no-cache, private' },
  });
