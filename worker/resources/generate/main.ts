/**
 * Makes what `worker/resources/generated/` and `worker/public/openapi/` hold, from `facts.txt` beside this file (names,
 * wire numbers and merge rules of the Kubernetes API) and the installed packages `kubernetes-models` and
 * `@kubernetes-models/apimachinery` (which fields are required, enumerations, descriptions). Build time only, run by Node:
 * `npm run generate`, or with `--check` to fail where the committed output differs.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Facts, type FactsMessage, parseFacts } from './facts.ts';
import { type Model, readModels } from './models.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
const FACTS = `${ROOT}worker/resources/generate/facts.txt`;
const SCHEMAS = `${ROOT}worker/resources/generated/schemas.ts`;
const DOCUMENTS = `${ROOT}worker/public/openapi/`;

/** A message's model: its own, or, for a message that only ever stands inline, that of the message around it. */
function modelsOf(facts: Facts, models: Map<string, Model>): Map<string, Model> {
  const found = new Map<string, Model>();
  const visit = (message: FactsMessage, model: Model | undefined): void => {
    if (model === undefined) return;
    if (!found.has(message.name)) found.set(message.name, model);
    for (const field of message.fields) {
      if (!field.inline) continue;
      const inner = facts.messages.get(field.type);
      if (inner) visit(inner, models.get(inner.name) ?? model);
    }
  };
  for (const message of facts.messages.values()) visit(message, models.get(message.name));
  return found;
}

/** The facts' own lines, with `!` behind each required field. */
function schemaTable(facts: Facts, models: Map<string, Model>): string {
  const lines = facts.lines.map((line) => {
    if (typeof line === 'string') return line;
    const model = models.get(line.name);
    const fields = line.fields.map((field) => {
      const required = model?.fields.get(field.name)?.required === true && !field.inline;
      return required ? field.text.replace(/(@\d+)?$/, '!$1') : field.text;
    });
    return [line.head, ...fields].join(' ');
  });
  const table = `${lines.join('\n')}\n`;
  return `${[
    '// Made by worker/resources/generate/main.ts; do not edit. How to read a line: worker/resources/schemas.ts.',
    '/** Of the table below: what depends on it alone has this for its version. */',
    `export const TABLE_DIGEST = '${createHash('sha256').update(table).digest('hex').toUpperCase()}';`,
    '/** Every message of the Kubernetes API: fields, wire numbers, types, required marks and merge rules. */',
    'export const TABLE = `',
  ].join('\n')}${table}\`;\n`;
}

/** Descriptions and enumerations of one package: definition → { '': its own, field: text, 'field=': [values] }. */
function documents(facts: Facts, models: Map<string, Model>): Map<string, string> {
  const packages = new Map<string, Record<string, Record<string, string | string[]>>>();
  for (const message of facts.messages.values()) {
    const model = models.get(message.name);
    if (model === undefined || model.name !== message.name) continue;
    const entry: Record<string, string | string[]> = model.description === '' ? {} : { '': model.description };
    for (const [name, field] of model.fields) {
      if (field.description !== '') entry[name] = field.description;
      if (field.values.length > 0) entry[`${name}=`] = field.values;
    }
    const cut = message.name.lastIndexOf('.');
    const packaged = packages.get(message.name.slice(0, cut)) ?? {};
    packaged[message.name.slice(cut + 1)] = entry;
    packages.set(message.name.slice(0, cut), packaged);
  }
  return new Map([...packages].map(([name, entries]) => [`${name}.json`, `${JSON.stringify(entries)}\n`]));
}

function main(check: boolean): number {
  const facts = parseFacts(readFileSync(FACTS, 'utf8'));
  const models = modelsOf(facts, readModels(ROOT, [...facts.messages.keys()]));
  const outputs = new Map([[SCHEMAS, schemaTable(facts, models)]]);
  for (const [file, text] of documents(facts, models)) outputs.set(DOCUMENTS + file, text);
  const stale = [...outputs].filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
  if (check) {
    for (const [file] of stale) console.error(`${file.slice(ROOT.length)} differs from what its sources give`);
    if (stale.length > 0) console.error('run: npm run generate');
    return stale.length > 0 ? 1 : 0;
  }
  for (const [file, text] of stale) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${file.slice(ROOT.length)} (${text.length} characters)`);
  }
  return 0;
}

process.exitCode = main(process.argv.includes('--check'));
