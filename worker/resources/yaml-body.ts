/**
 * A YAML body on its way: the Worker reads it, and the Cluster object gets JSON of what it found. There are as many Workers as
 * are needed, and one object, which must not be held up. What cannot be read is told there too, so that it is refused where
 * any body would be: after authorization, and after what the path and the media type have to say.
 */
import { summaryOf } from './body-summary.ts';
import { JsonSyntaxError, scanJson } from './json-scan.ts';
import { parseYaml } from './yaml.ts';
import { YamlError } from './yaml-error.ts';

const YAML_TYPES = new Set(['application/yaml', 'application/apply-patch+yaml']);

/** Whether bodies of this media type come to the object packed. */
export const isPackedType = (mediaType: string): boolean => YAML_TYPES.has(mediaType);

export interface YamlBody {
  value: unknown;
  /** Keys that stand twice, in the words of the apiserver's strict reader. */
  problems: string[];
  /** Why there is no value. */
  error?: string;
  /** How the body begins, for errors. */
  summary: string;
}

const packed = (valueText: string, rest: Omit<YamlBody, 'value'>): string =>
  `${JSON.stringify(rest).slice(0, -1)},"value":${valueText}}`;

/** In the Worker. */
export function packYaml(bytes: Uint8Array): string {
  const summary = summaryOf(bytes);
  const text = new TextDecoder().decode(bytes);
  // As most clients send it: JSON is YAML, and needs no reading but for keys that stand twice.
  if (isPlainJson(text)) return packed(text, { summary, problems: [] });
  try {
    const { value, problems } = parseYaml(text);
    return packed(JSON.stringify(value), { summary, problems });
  } catch (error) {
    if (error instanceof YamlError) return packed('null', { summary, problems: [], error: error.message });
    throw error;
  }
}

function isPlainJson(text: string): boolean {
  if (!/^\s*\{/.test(text)) return false;
  try {
    return scanJson(text).duplicates.length === 0;
  } catch (error) {
    // Flow style, not JSON: the YAML reader's to judge.
    if (error instanceof JsonSyntaxError) return false;
    throw error;
  }
}

/** In the object. @param bytes what `packYaml` made; none when there was no body */
export function unpackYaml(bytes: Uint8Array): YamlBody {
  if (bytes.length === 0) return { value: null, problems: [], summary: summaryOf(bytes) };
  return JSON.parse(new TextDecoder().decode(bytes)) as YamlBody;
}
