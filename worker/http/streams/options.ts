/** The query parameters of pods' streams, judged as upstream judges them. Pure. */
import type { StatusCause } from '../../../shared/api/meta.ts';
import { badRequest, forbiddenField, invalid, invalidValue } from '../../../shared/errors.ts';
import type { LogsHeader } from '../../../shared/tunnel/kinds.ts';

const TRUE = new Set(['true', '1', 'True', 'TRUE', 't', 'T']);
const flag = (query: URLSearchParams, name: string) => TRUE.has(query.get(name) ?? '');

export interface TerminalOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
  command: string[];
}

/** @throws StatusError 400 with the kubelet's text */
export function parseTerminalOptions(query: URLSearchParams): TerminalOptions {
  const tty = flag(query, 'tty');
  const options = {
    stdin: flag(query, 'stdin'),
    stdout: flag(query, 'stdout'),
    // Kubernetes: a terminal has one output.
    stderr: flag(query, 'stderr') && !tty,
    tty,
    command: query.getAll('command'),
  };
  if (!options.stdin && !options.stdout && !options.stderr) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
  return options;
}

export type LogOptions = Pick<
  LogsHeader,
  'follow' | 'previous' | 'timestamps' | 'tailLines' | 'limitBytes' | 'sinceMs'
>;

/** @throws StatusError 400 for what is no number, 422 as upstream's ValidatePodLogOptions */
export function parseLogOptions(query: URLSearchParams, podName: string, nowMs: number): LogOptions {
  const tailLines = integer(query, 'tailLines');
  const limitBytes = integer(query, 'limitBytes');
  const sinceSeconds = integer(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime') ?? '';
  const causes: StatusCause[] = [];
  if (tailLines !== undefined && tailLines < 0) {
    causes.push(invalidValue('tailLines', tailLines, 'must be greater than or equal to 0'));
  }
  if (limitBytes !== undefined && limitBytes < 1) {
    causes.push(invalidValue('limitBytes', limitBytes, 'must be greater than 0'));
  }
  if (sinceSeconds !== undefined && sinceTime !== '') {
    causes.push(forbiddenField('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    causes.push(invalidValue('sinceSeconds', sinceSeconds, 'must be greater than 0'));
  }
  if (causes.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, podName, causes);
  const since = sinceTime === '' ? undefined : Date.parse(sinceTime);
  if (since !== undefined && Number.isNaN(since)) throw badRequest(`sinceTime ${JSON.stringify(sinceTime)} is no time`);
  const sinceMs = sinceSeconds === undefined ? since : nowMs - sinceSeconds * 1000;
  return {
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`${name}: ${JSON.stringify(text)} is no integer`);
  return Number(text);
}
