/** Answers for who accepts YAML and nothing else: the Cluster object answers JSON under YAML's name, the Worker writes it as YAML. */
import { DUMP_SCHEMA, dump, intYaml11Tag } from 'js-yaml';
import { YAML_TYPE } from '../resources/decode.ts';
import { resolvePlain } from '../resources/yaml-scalars.ts';

/** In the object. */
export function namedYaml(answer: Response): Response {
  answer.headers.set('content-type', YAML_TYPE);
  return answer;
}

/** In the Worker. Any other answer stays as it is. */
export async function yamlAnswer(answer: Response): Promise<Response> {
  if (answer.headers.get('content-type') !== YAML_TYPE || answer.body === null) return answer;
  // workerd: `text()` warns of a type that is none of its texts.
  const text = new TextDecoder().decode(await answer.arrayBuffer());
  const headers = new Headers(answer.headers);
  headers.delete('content-length');
  return new Response(text === '' ? null : writeYaml(JSON.parse(text)), { status: answer.status, headers });
}

/** Puts in quotes whatever Kubernetes' reader, too, would take for something else than text: `0X1f`. */
const SCHEMA = DUMP_SCHEMA.withTags({
  ...intYaml11Tag,
  resolve: (source, isExplicit, tagName) =>
    typeof resolvePlain(source) === 'string' ? intYaml11Tag.resolve(source, isExplicit, tagName) : 0,
});

/** As kubectl writes it: lists as deep as their names, no line broken, nothing shared. */
export const writeYaml = (value: unknown): string =>
  dump(value, { schema: SCHEMA, seqNoIndent: true, lineWidth: -1, noRefs: true });
