/**
 * The audit trail of one request, in the Worker: what is known of it is gathered on its way, and written as one line of
 * JSON an event to the console, where the platform keeps it. No object is asked or woken for it. Without a policy there are
 * no trails.
 * Source: k8s.io/apiserver/pkg/endpoints/filters/audit.go
 */
import { AUDIT_API_VERSION, type AuditEvent, type AuditPolicy, type AuditStage } from '../../../shared/api/audit.ts';
import type { Status } from '../../../shared/api/meta.ts';
import { type AuditConfig, auditConfigFor } from '../../../shared/audit-policy.ts';
import type { Decision } from '../../registry/rbac/policy.ts';
import type { UserInfo } from '../../users.ts';
import { isUnexpected } from '../answers.ts';
import type { RequestInfo } from '../request-info.ts';
import { loggedObject, objectOfAnswer, objectOfBody } from './bodies.ts';
import { observed } from './observe.ts';
import { MAX_EVENT_BYTES, truncated } from './truncate.ts';

const LONG_RUNNING = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
const DECISION = 'authorization.k8s.io/decision';
const REASON = 'authorization.k8s.io/reason';
const MAX_USER_AGENT = 1024;

export interface TrailParts {
  policy: AuditPolicy;
  auditId: string;
  nowMs(): number;
  write(event: AuditEvent): void;
}

export class AuditTrail {
  readonly #parts: TrailParts;
  readonly #request: Request;
  readonly #event: Omit<AuditEvent, 'level' | 'stage' | 'stageTimestamp'>;
  #info: RequestInfo | undefined;
  #config: AuditConfig | undefined;
  #isLong = false;
  #knowsUser = false;
  #decision: Record<string, string> | undefined;

  constructor(request: Request, parts: TrailParts) {
    this.#request = request;
    this.#parts = parts;
    const afterScheme = request.url.indexOf('/', request.url.indexOf('://') + 3);
    const agent = request.headers.get('user-agent') ?? '';
    const sourceIPs = sourceIPsOf(request);
    this.#event = {
      kind: 'Event',
      apiVersion: AUDIT_API_VERSION,
      auditID: parts.auditId,
      requestURI: afterScheme === -1 ? '/' : request.url.slice(afterScheme),
      verb: '',
      user: {},
      ...(sourceIPs.length === 0 ? {} : { sourceIPs }),
      ...(agent === ''
        ? {}
        : { userAgent: agent.length > MAX_USER_AGENT ? `${agent.slice(0, MAX_USER_AGENT)}...TRUNCATED` : agent }),
      requestReceivedTimestamp: microTime(parts.nowMs()),
    };
  }

  /** Whether anything of the request is to be logged. */
  get isOn(): boolean {
    return this.#config !== undefined && this.#config.level !== 'None';
  }

  get auditId(): string {
    return this.#parts.auditId;
  }

  /** The path is read; who asks may not be known yet. */
  asked(cluster: string, info: RequestInfo): void {
    const event = this.#event;
    event.verb = info.verb;
    event.annotations = { 'longshore.dev/cluster': cluster };
    this.#isLong = info.verb === 'watch' || LONG_RUNNING.has(info.subresource);
    if (info.isResource) {
      event.objectRef = withoutEmpty({
        resource: info.resource,
        namespace: info.namespace,
        name: info.name,
        apiGroup: info.group,
        apiVersion: info.version,
        subresource: info.subresource,
      });
    }
    this.#info = info;
    this.#config = auditConfigFor(this.#parts.policy, { ...info, user: undefined });
  }

  /** Who it is. Rules look at this one, not at whom he acts as. */
  identified(user: UserInfo): void {
    const info = this.#info;
    if (info === undefined) return;
    this.#knowsUser = true;
    this.#event.user = shownUser(user);
    this.#config = auditConfigFor(this.#parts.policy, { ...info, user });
    this.#write('RequestReceived', this.#event.requestReceivedTimestamp);
  }

  impersonated(user: UserInfo): void {
    this.#event.impersonatedUser = shownUser(user);
  }

  /** What the object says of its decisions. */
  decided(annotations: string | null): void {
    if (annotations !== null) this.#decision = JSON.parse(decodeURIComponent(annotations)) as Record<string, string>;
  }

  /** The body as it goes to the object. */
  received(bytes: Uint8Array | undefined): void {
    const info = this.#info;
    if (!this.isOn || bytes === undefined || bytes.length === 0 || info?.isResource !== true) return;
    const object = objectOfBody(bytes, this.#request.headers.get('content-type'));
    if (object === undefined) return;
    const { objectRef } = this.#event;
    // Kubernetes: a patch says nothing of its object, nor do the options of a delete.
    if (objectRef !== undefined && !Array.isArray(object) && (info.verb === 'create' || info.verb === 'update')) {
      const { metadata } = object as { metadata?: Record<string, unknown> };
      for (const key of ['namespace', 'name', 'uid', 'resourceVersion'] as const) {
        const value = metadata?.[key];
        if (objectRef[key] === undefined && typeof value === 'string' && value !== '') objectRef[key] = value;
      }
    }
    const level = this.#config?.level;
    if (level === 'Request' || level === 'RequestResponse') {
      this.#event.requestObject = loggedObject(object, this.#config?.omitManagedFields === true);
    }
  }

  /** The answer, to be sent instead of the given one: its end is the last stage. */
  answered(response: Response): Response {
    if (!this.isOn) return response;
    const { status } = response;
    this.#annotate(status);
    this.#event.responseStatus = { metadata: {}, code: status };
    if (!this.#knowsUser) {
      this.#event.responseStatus = { metadata: {}, message: this.#attempted(), code: status };
      this.#write('ResponseStarted');
      return response;
    }
    if (status === 101) {
      // The connection is its Relay's from here on: its end is not seen.
      this.#write('ResponseStarted');
      this.#write('ResponseComplete');
      return response;
    }
    if (this.#isLong) this.#write('ResponseStarted');
    const wants = this.#wantsAnswer(status);
    const contentType = response.headers.get('content-type');
    return observed(response, wants ? MAX_EVENT_BYTES : 0, (bytes) => this.#complete(wants, bytes, contentType));
  }

  #wantsAnswer(status: number): boolean {
    if (status >= 400) return true;
    const { verb, isResource } = this.#info ?? {};
    if (this.#isLong || isResource !== true) return false;
    return this.#config?.level === 'RequestResponse' || verb === 'delete';
  }

  /** @param bytes undefined: more than an event may hold. */
  #complete(wanted: boolean, bytes: Uint8Array | undefined, contentType: string | null): void {
    const object = wanted && bytes !== undefined ? objectOfAnswer(bytes, contentType) : undefined;
    const event = this.#event;
    const status = statusOf(object);
    if (status !== undefined) event.responseStatus = { metadata: {}, ...told(status) };
    if (this.#config?.level === 'RequestResponse' && this.#info?.isResource) {
      if (object !== undefined) event.responseObject = loggedObject(object, this.#config.omitManagedFields);
      else if (wanted && bytes === undefined) event.annotations = truncated(event.annotations);
    }
    this.#write(status !== undefined && isUnexpected(status) ? 'Panic' : 'ResponseComplete');
  }

  /** Where the object was asked otherwise than by a request, the answer tells how it decided. */
  #annotate(status: number): void {
    const seen = { [DECISION]: status === 403 ? 'forbid' : 'allow', [REASON]: '' };
    const decision = this.#decision ?? (status === 401 ? {} : seen);
    this.#event.annotations = { ...this.#event.annotations, ...decision };
  }

  #attempted(): string {
    const bearer = this.#request.headers.get('authorization')?.toLowerCase().startsWith('bearer ');
    return bearer ? 'Authentication failed, attempted: bearer' : 'Authentication failed, no credentials provided';
  }

  #write(stage: AuditStage, stageTimestamp = microTime(this.#parts.nowMs())): void {
    const config = this.#config;
    if (config === undefined || config.level === 'None' || config.omitStages.has(stage)) return;
    const { kind, apiVersion, ...rest } = this.#event;
    this.#parts.write({ kind, apiVersion, level: config.level, ...rest, stage, stageTimestamp });
  }
}

/** What a request's audit event says of an authorizer's decision. */
export const annotationsOf = ({ allowed, reason }: Decision): Record<string, string> => ({
  [DECISION]: allowed ? 'allow' : 'forbid',
  [REASON]: reason,
});

/** For the header: what the object says of a request. */
export const annotationsHeader = (annotations: Record<string, string>): string =>
  encodeURIComponent(JSON.stringify(annotations));

const statusOf = (object: unknown): Status | undefined => {
  const { kind } = (object ?? {}) as { kind?: unknown };
  return kind === 'Status' ? (object as Status) : undefined;
};

const told = ({ status, message, reason, details, code }: Status): Partial<Status> => ({
  ...(status === undefined ? {} : { status }),
  ...(message === undefined ? {} : { message }),
  ...(reason === undefined ? {} : { reason }),
  ...(details === undefined ? {} : { details }),
  ...(code === undefined ? {} : { code }),
});

const shownUser = ({ username, uid, groups, extra }: UserInfo): AuditEvent['user'] => ({
  username,
  ...(uid === undefined ? {} : { uid }),
  groups,
  ...(extra === undefined ? {} : { extra }),
});

const withoutEmpty = <T extends Record<string, string>>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')) as Partial<T>;

/** Kubernetes: MicroTime. */
const microTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000Z`;

/** workerd gives the client's address with its port: `192.0.2.1:50416`, `[2001:db8::1]:50416`. */
const withoutPort = (address: string | undefined): string | undefined =>
  address?.replace(/^(?:\[(.*)\]|([^:]*))(?::\d+)?$/, '$1$2');

/** All but the last may be the client's invention. */
function sourceIPsOf(request: Request): string[] {
  const { headers } = request;
  const peer =
    headers.get('cf-connecting-ip') ?? withoutPort((request.cf as { clientIp?: string } | undefined)?.clientIp);
  const forwarded = (headers.get('x-forwarded-for') ?? '').split(',').map((each) => each.trim());
  const all = [...forwarded, headers.get('x-real-ip') ?? '', peer ?? ''].filter((each) => each !== '');
  return all.filter((each, index) => all.indexOf(each) === index);
}
