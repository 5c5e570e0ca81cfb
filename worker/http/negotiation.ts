/**
 * What form an answer takes: JSON, pretty for people at a terminal, a Table or only metadata when the client asks, YAML
 * when it asks for nothing else. Source: k8s.io/apiserver/pkg/endpoints/handlers/negotiation
 */
import { notAcceptable } from '../../shared/errors.ts';

export interface AnswerForm {
  as: '' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  /** Of meta.k8s.io, with `as`. */
  version: 'v1' | 'v1beta1';
  pretty: boolean;
  yaml: boolean;
  /** The client takes nothing else; the answer is made as JSON, and turned at the end (`protobuf-answer.ts`). */
  protobuf: boolean;
  /** The client takes compressed bodies. */
  gzip: boolean;
}

interface MediaRange {
  type: string;
  parameters: Record<string, string>;
  quality: number;
}

export function parseAccept(header: string | null): MediaRange[] {
  const ranges = (header ?? '').split(',').flatMap((part): MediaRange[] => {
    const [type = '', ...pairs] = part.split(';').map((each) => each.trim());
    if (type === '') return [];
    const parameters: Record<string, string> = {};
    for (const pair of pairs) {
      const [key = '', value = ''] = pair.split('=');
      parameters[key.trim().toLowerCase()] = value.trim().replace(/^"|"$/g, '');
    }
    const quality = Number(parameters.q ?? '1');
    return [{ type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality }];
  });
  return ranges.sort((a, b) => b.quality - a.quality);
}

/** Protobuf last: clients that speak it name JSON beside it, and get that, for stored text needs no work. */
const ANSWERED_MEDIA = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

const OTHER_MEDIA = new Set(['application/json', 'application/*', '*/*', 'application/yaml']);

export function takesOnlyProtobuf(headers: Headers): boolean {
  const accept = headers.get('accept') ?? '';
  if (!accept.includes('vnd.kubernetes.protobuf')) return false;
  const ranges = parseAccept(accept).filter(({ quality }) => quality > 0);
  if (ranges.some(({ type, parameters }) => OTHER_MEDIA.has(type) && parameters.as === undefined)) return false;
  return ranges.some(
    ({ type, parameters }) => type === 'application/vnd.kubernetes.protobuf' && parameters.as === undefined,
  );
}

const isPretty = (query: URLSearchParams, userAgent: string): boolean => {
  const asked = query.get('pretty');
  if (asked !== null) return asked === 'true' || asked === '1';
  return /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent);
};

const acceptsGzip = (headers: Headers): boolean =>
  (headers.get('accept-encoding') ?? '').split(',').some((each) => each.trim().split(';', 1)[0] === 'gzip');

const AS = ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'] as const;

/**
 * @param allowed what the answer can be turned into, besides itself.
 * @throws StatusError 406 when nothing that the client accepts can be written.
 */
export function negotiate(headers: Headers, query: URLSearchParams, allowed: readonly string[]): AnswerForm {
  const pretty = isPretty(query, headers.get('user-agent') ?? '');
  const accept = headers.get('accept');
  const plain: AnswerForm = { as: '', version: 'v1', pretty, yaml: false, protobuf: false, gzip: acceptsGzip(headers) };
  if (accept === null || accept.trim() === '') return plain;
  for (const { type, parameters, quality } of parseAccept(accept)) {
    if (quality <= 0) continue;
    const json = type === 'application/json' || type === 'application/*' || type === '*/*';
    const yaml = type === 'application/yaml';
    if (!json && !yaml) continue;
    const { as } = parameters;
    if (as === undefined) {
      if (parameters.stream !== undefined && parameters.stream !== 'watch') continue;
      return { ...plain, yaml };
    }
    const form = AS.find((each) => each === as);
    const version = parameters.v ?? 'v1';
    if (form === undefined || !allowed.includes(form) || parameters.g !== 'meta.k8s.io') continue;
    if (version !== 'v1' && version !== 'v1beta1') continue;
    return { ...plain, as: form, version, yaml };
  }
  if (takesOnlyProtobuf(headers)) return { ...plain, pretty: false, protobuf: true };
  throw notAcceptable([...ANSWERED_MEDIA]);
}
