/**
 * What is asked for with a CONNECT (`pods/exec`, `…/proxy`), as the fields of the object that admission judges; and such an
 * object as the query that asks for it, where a webhook has changed it. Pure.
 * Source: kubernetes, pkg/apis/core/v1, PodExecOptions and its like from url.Values
 */
import { badRequest, internalError } from '../../shared/errors.ts';
import type { ConnectOptions } from '../rpc.ts';
import type { RequestInfo } from './request-info.ts';

type Kind = 'flag' | 'text' | 'texts' | 'numbers';

const TERMINAL: Record<string, Kind> = {
  stdin: 'flag',
  stdout: 'flag',
  stderr: 'flag',
  tty: 'flag',
  container: 'text',
};
/** In upstream's order. */
const FIELDS: Record<string, Record<string, Kind>> = {
  exec: { ...TERMINAL, command: 'texts' },
  attach: TERMINAL,
  portforward: { ports: 'numbers' },
};

/** Kubernetes: whatever is not said to be false is true. */
const isTrue = (value: string): boolean => value.toLowerCase() !== 'false' && value !== '0';

/** Undefined: `log`, which connects nobody. @throws StatusError 400 */
export function streamOptions({
  subresource,
  query,
}: Pick<RequestInfo, 'subresource' | 'query'>): ConnectOptions | undefined {
  const fields = FIELDS[subresource];
  if (fields === undefined) return undefined;
  if (query.has('dryRun')) throw badRequest('dryRun is not supported');
  const options: ConnectOptions = {};
  for (const [name, kind] of Object.entries(fields)) {
    const given = query.getAll(name);
    if (given.length === 0) continue;
    const [first = ''] = given;
    if (kind === 'texts') options[name] = given;
    // What is no number is refused where the ports are opened.
    else if (kind === 'numbers')
      options[name] = given
        .flatMap((each) => each.split(','))
        .map(Number)
        .filter(Number.isInteger);
    else if (kind === 'text' && first !== '') options[name] = first;
    else if (kind === 'flag' && isTrue(first)) options[name] = true;
  }
  return options;
}

/** The path below `proxy` as upstream shows it: with its first slash, and its last where there is one. */
export function proxyOptions({ rest, path }: Pick<RequestInfo, 'rest' | 'path'>): ConnectOptions {
  const below = rest.map((each) => `/${each}`).join('');
  return { path: path.endsWith('/') ? `${below}/` : below };
}

/** @throws StatusError 500 for what a webhook has made of them and is none. */
export function queryOf(subresource: string, options: ConnectOptions): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, kind] of Object.entries(FIELDS[subresource] ?? {})) {
    const value = options[name];
    if (value === undefined || value === false) continue;
    const values = kind === 'texts' || kind === 'numbers' ? value : [value];
    const type = { flag: 'boolean', text: 'string', texts: 'string', numbers: 'number' }[kind];
    if (!Array.isArray(values) || values.some((each) => typeof each !== type)) {
      throw internalError(`a webhook has made ${name} of ${subresource} something that it cannot be`);
    }
    for (const each of values) query.append(name, String(each));
  }
  return query;
}
