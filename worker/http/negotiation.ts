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
  /** The client prefers it; the answer is made as JSON, and turned at the end (`protobuf-answer.ts`). */
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

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** How much the client wants the best of some media types; 0: not at all. */
function qualityOf(ranges: readonly MediaRange[], wanted: (type: string) => boolean): number {
  const found = ranges.filter(({ type, parameters }) => wanted(type) && parameters.as === undefined);
  return Math.max(0, ...found.map(({ quality }) => quality));
}

/** How the client ranks protobuf: it takes nothing else, or it would rather have it, or anything else will do. */
export function protobufWish(headers: Headers): 'only' | 'rather' | undefined {
  const accept = headers.get('accept') ?? '';
  if (!accept.includes('vnd.kubernetes.protobuf')) return undefined;
  const ranges = parseAccept(accept);
  const protobuf = qualityOf(ranges, (type) => type === PROTOBUF);
  const other = qualityOf(ranges, (type) => OTHER_MEDIA.has(type));
  if (protobuf <= other) return undefined;
  return other === 0 ? 'only' : 'rather';
}

const isPretty = (query: URLSearchParams, userAgent: string): boolean => {
  const asked = query.get('pretty');
  if (asked !== null) return asked === 'true' || asked === '1';
  return /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent);
};

/** Whether the client takes compressed bodies. */
export const acceptsGzip = (headers: Headers): boolean =>
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
  const protobuf = protobufWish(headers);
  // Where a Table is to be had, that is what a client that names one wants.
  if (protobuf === 'rather' && !/;\s*as=/.test(accept)) return { ...plain, pretty: false, protobuf: true };
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
  if (protobuf === 'only') return { ...plain, pretty: false, protobuf: true };
  throw notAcceptable([...ANSWERED_MEDIA]);
}
