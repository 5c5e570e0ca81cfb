/**
 * Reads the declarations of `kubernetes-models` and `@kubernetes-models/apimachinery`: for each definition its description,
 * and for each field whether it is required, its description and its enumerated values. Nothing of them runs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ModelField {
  required: boolean;
  description: string;
  values: string[];
}

export interface Model {
  /** Definition name, `io.k8s.api.core.v1.Pod`. */
  name: string;
  description: string;
  fields: Map<string, ModelField>;
}

/** `io.k8s.api.core.v1.Pod` → `iok8sapicorev1pod`: the packages' alias of a definition, whatever its capitals. */
const aliasOf = (name: string): string => name.replace(/[.-]/g, '').toLowerCase();

/** A doc comment's text: stars and line ends removed, paragraphs kept. */
function plain(comment: string): string {
  return comment
    .replace(/^\s*\/\*\*/, '')
    .replace(/\*\/\s*$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

const COMMENT = String.raw`(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)`;
const INTERFACE = new RegExp(String.raw`(${COMMENT})?export interface I\w+[^{]*\{\n([\s\S]*?)\n\}`);
const FIELD = new RegExp(
  String.raw`(?:^|\n)    (${COMMENT})?(?:    )?"([^"]+)"(\?)?: ([\s\S]*?);(?=\n    (?:\/\*\*|")|$)`,
  'g',
);

function parseModel(name: string, text: string): Model | undefined {
  const match = INTERFACE.exec(text);
  if (match === null) {
    const comment = new RegExp(`(${COMMENT})export (?:type|interface)`).exec(text)?.[1] ?? '';
    return { name, description: plain(comment), fields: new Map() };
  }
  const fields = new Map<string, ModelField>();
  for (const [, comment = '', field = '', optional, type = ''] of (match[2] ?? '').matchAll(FIELD)) {
    const values = [...type.matchAll(/(?:^|[|<(]\s*)"([^"]*)"/g)].map((value) => value[1] ?? '');
    const enumerated = field !== 'apiVersion' && field !== 'kind' ? values : [];
    fields.set(field, { required: optional === undefined, description: plain(comment), values: enumerated });
  }
  return { name, description: plain(match[1] ?? ''), fields };
}

export function readModels(root: string, names: readonly string[]): Map<string, Model> {
  const wanted = new Map(names.map((name) => [aliasOf(name), name]));
  const models = new Map<string, Model>();
  for (const folder of ['kubernetes-models', '@kubernetes-models/apimachinery']) {
    for (const file of readdirSync(join(root, 'node_modules', folder), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.d.ts') || file.includes('_schemas')) continue;
      const text = readFileSync(join(root, 'node_modules', folder, file), 'utf8');
      const alias = /export type \{ \w+ as I(Io\w+)/.exec(text)?.[1];
      const name = alias === undefined ? undefined : wanted.get(alias.toLowerCase());
      if (name === undefined) continue;
      const model = parseModel(name, text);
      if (model) models.set(name, model);
    }
  }
  return models;
}
