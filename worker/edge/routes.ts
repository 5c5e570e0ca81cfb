/**
 * Which public Service a URL means, by the template of public URLs (host form or path form), and where that Service's
 * requests go, remembered in the isolate for a few seconds. Pure but for the memory; asking is passed in.
 */
import type { Outcome, ServiceLocation } from '../rpc.ts';

export interface PublicRoute {
  cluster: string;
  namespace: string;
  name: string;
  /** What the pod is asked for: path and query as the client wrote them. */
  target: string;
  /** What was taken off the path; '' in the host form. */
  prefix: string;
}

const DEFAULT_CLUSTER = 'default';
const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';

const escaped = (text: string) => text.replace(/[.*+?^$()|[\]\\/-]/g, '\\$&');

/** `{name}` and the like become groups; everything else stands for itself. */
const pattern = (template: string, end: string): RegExp =>
  new RegExp(`^${escaped(template).replace(/\{(cluster|namespace|name)\}/g, `(?<$1>${LABEL})`)}${end}`);

/** A template's two halves, `scheme://HOST` and `/path`, which `new URL` would not take with braces in the host. */
function splitTemplate(template: string): { host: string; path: string } {
  const [, host = '', path = ''] = /^[a-z]+:\/\/([^/]*)(.*)$/.exec(template) ?? [];
  return { host: host.replace(/:\d+$/, ''), path };
}

interface Template {
  host: string;
  hostPattern: RegExp | undefined;
  pathPattern: RegExp;
}

/** A template is taken apart once: every request of the API is held against it. */
const templates = new Map<string, Template>();

function templateOf(text: string): Template {
  let known = templates.get(text);
  if (known === undefined) {
    const { host, path } = splitTemplate(text);
    // The port says which door was used, not which Service is meant.
    const hostPattern = host.includes('{name}') ? pattern(host, '$') : undefined;
    known = { host, hostPattern, pathPattern: pattern(path.replace(/\/$/, ''), '(?=/|$)') };
    templates.set(text, known);
  }
  return known;
}

/** A URL's host without its port, as the client wrote it. */
function hostOf(url: string): string {
  const start = url.indexOf('://') + 3;
  const end = url.slice(start).search(/[/?#]/);
  return (end === -1 ? url.slice(start) : url.slice(start, start + end)).replace(/:\d+$/, '').toLowerCase();
}

/** Whether it is worth taking the URL apart: almost every request is one of the API. */
export function mayBePublic(template: string, url: string): boolean {
  const { host, hostPattern } = templateOf(template);
  return hostPattern === undefined ? host === hostOf(url) : hostPattern.test(hostOf(url));
}

/** undefined: the URL is not a public one. */
export function matchPublic(template: string, url: URL): PublicRoute | undefined {
  const { host, hostPattern, pathPattern } = templateOf(template);
  const target = `${url.pathname}${url.search}`;
  if (hostPattern !== undefined) {
    const match = hostPattern.exec(url.hostname);
    return match?.groups && route(match.groups, target, '');
  }
  const match = pathPattern.exec(url.pathname);
  if (!match?.groups || host !== url.hostname) return undefined;
  const rest = target.slice(match[0].length);
  return route(match.groups, rest.startsWith('/') ? rest : `/${rest}`, match[0]);
}

function route(groups: Record<string, string>, target: string, prefix: string): PublicRoute {
  const { cluster = DEFAULT_CLUSTER, namespace = '', name = '' } = groups;
  return { cluster, namespace, name, target, prefix };
}

const KEEP_MS = 3000;
const MAX_ROUTES = 2000;

/** Locations of Services, kept briefly: refusals too, so that a wrong URL cannot keep an object busy. */
export class RouteMemory {
  private readonly known = new Map<string, { until: number; outcome: Outcome<ServiceLocation> }>();

  async locate(
    route: PublicRoute,
    nowMs: number,
    ask: () => Promise<Outcome<ServiceLocation>>,
  ): Promise<Outcome<ServiceLocation>> {
    const key = keyOf(route);
    const kept = this.known.get(key);
    if (kept !== undefined && kept.until > nowMs) return kept.outcome;
    const outcome = await ask();
    if (this.known.size >= MAX_ROUTES) this.known.clear();
    this.known.set(key, { until: nowMs + KEEP_MS, outcome });
    return outcome;
  }

  /** What was known has proved wrong. */
  drop(route: PublicRoute): void {
    this.known.delete(keyOf(route));
  }
}

const keyOf = ({ cluster, namespace, name }: PublicRoute) => `${cluster}/${namespace}/${name}`;
