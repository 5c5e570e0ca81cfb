/**
 * Reads `facts.txt`. Lines: `! RULE` (numbered from 0, in order), `# PACKAGE GROUP/VERSION` ("-": none of its own), then one
 * message each: `NAME[*][@RULE] FIELD:NUMBER TYPE…`, where `*` marks a kind and a field is `name:NUMBERTYPE` with TYPE one
 * of s b i l d y (string, bool, int32, int64, double, bytes) or a message (of the same package, or without its leading
 * `io.k8s.`), then `[]` or `{}` for lists and string maps, `~` where its fields stand in the parent, `@N` for a merge rule.
 */
export interface FactsField {
  name: string;
  /** Full message name, or one letter. */
  type: string;
  inline: boolean;
  /** As written. */
  text: string;
}

export interface FactsMessage {
  name: string;
  head: string;
  fields: FactsField[];
}

export interface Facts {
  lines: (string | FactsMessage)[];
  messages: Map<string, FactsMessage>;
}

const FIELD = /^([^:]+):\d+([^[{~@]+)(?:\[\]|\{\})?(~)?(?:@\d+)?$/;

function parseField(text: string, packageName: string): FactsField {
  const match = FIELD.exec(text);
  if (match === null) throw new Error(`facts.txt: cannot read field ${text} in ${packageName}`);
  const [, name = '', type = '', inline] = match;
  const full = type.length === 1 ? type : type.includes('.') ? `io.k8s.${type}` : `${packageName}.${type}`;
  return { name, type: full, inline: inline === '~', text };
}

export function parseFacts(text: string): Facts {
  const facts: Facts = { lines: [], messages: new Map() };
  let packageName = '';
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('!')) {
      facts.lines.push(line);
    } else if (line.startsWith('#')) {
      packageName = line.split(' ')[1] ?? '';
      facts.lines.push(line);
    } else {
      const [head = '', ...fields] = line.split(' ');
      const name = `${packageName}.${head.replace(/[*@].*/, '')}`;
      const message = { name, head, fields: fields.map((field) => parseField(field, packageName)) };
      facts.lines.push(message);
      facts.messages.set(name, message);
    }
  }
  for (const message of facts.messages.values()) {
    for (const field of message.fields) {
      if (field.type.length > 1 && !facts.messages.has(field.type)) {
        throw new Error(`facts.txt: ${message.name}.${field.name} is of type ${field.type}, which is not there`);
      }
    }
  }
  return facts;
}
