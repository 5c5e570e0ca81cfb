/**
 * Questions to the API about who somebody is and what he may: created, answered, never stored.
 * Source: kubernetes, pkg/registry/authentication and pkg/registry/authorization
 */
import type { KubeObject, StatusCause } from '../../shared/api/meta.ts';
import type { PolicyRule } from '../../shared/api/rbac.ts';
import { badRequest, invalid, invalidValue } from '../../shared/errors.ts';
import { aggregate, policyOf } from '../registry/rbac/policy.ts';
import type { Store } from '../store/store.ts';
import type { UserInfo } from '../users.ts';
import { judgeToken, type TokenTrust } from './authentication.ts';
import { type Attributes, authorize } from './authorization.ts';
import { bootstrapUser, isBootstrapToken } from './bootstrap-tokens.ts';
import { whyTokenEnded } from './token-status.ts';
import { API_AUDIENCE, TokenRefused } from './tokens.ts';

export interface ReviewParts extends TokenTrust {
  store: Store;
  cluster: string;
  nowMs(): number;
}

interface SelectorAttributes {
  rawSelector?: string;
  requirements?: unknown[];
}

interface Review extends KubeObject {
  spec?: {
    resourceAttributes?: Partial<
      Record<'namespace' | 'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'name', string>
    > & { fieldSelector?: SelectorAttributes; labelSelector?: SelectorAttributes };
    nonResourceAttributes?: { path?: string; verb?: string };
    user?: string;
    uid?: string;
    groups?: string[];
    extra?: Record<string, string[]>;
    namespace?: string;
    token?: string;
    audiences?: string[];
  };
  status?: unknown;
}

/** The object with its status filled in. @throws StatusError 400, 422 */
export async function answerReview(
  parts: ReviewParts,
  user: UserInfo,
  namespace: string,
  object: KubeObject,
): Promise<KubeObject> {
  const review = object as Review;
  const answer = Object.hasOwn(ANSWERS, review.kind) ? ANSWERS[review.kind] : undefined;
  if (answer === undefined) throw badRequest(`${review.kind} is no review`);
  const status = await answer(parts, review, user, namespace);
  return { ...review, status } as KubeObject;
}

type Answer = (parts: ReviewParts, review: Review, user: UserInfo, namespace: string) => unknown;

const ANSWERS: Record<string, Answer> = {
  SelfSubjectReview: (_parts, _review, user) => ({ userInfo: user }),
  TokenReview: reviewToken,
  SelfSubjectAccessReview: (parts, review, user) => decide(parts, review, user),
  SubjectAccessReview: (parts, review) => decide(parts, review, subjectOf(review)),
  LocalSubjectAccessReview(parts, review, _user, namespace) {
    const { nonResourceAttributes, resourceAttributes } = review.spec ?? {};
    if (nonResourceAttributes !== undefined) {
      const why = 'disallowed on this kind of request';
      refuse(review, invalidValue('spec.nonResourceAttributes', nonResourceAttributes, why));
    }
    if ((resourceAttributes?.namespace ?? '') !== namespace) {
      throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
    }
    return decide(parts, review, subjectOf(review));
  },
  SelfSubjectRulesReview: reviewRules,
};

// ---- Access ---------------------------------------------------------------------------------------------------------

function refuse(review: Review, ...causes: StatusCause[]): never {
  throw invalid({ group: review.apiVersion.split('/')[0] ?? '', kind: review.kind }, '', causes);
}

function subjectOf(review: Review): UserInfo {
  const { user = '', groups = [], uid, extra } = review.spec ?? {};
  if (user === '' && groups.length === 0) {
    refuse(review, invalidValue('spec.user', user, 'at least one of user or group must be specified'));
  }
  return { username: user, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
}

function decide(parts: ReviewParts, review: Review, user: UserInfo): unknown {
  const { allowed, reason } = authorize(attributesOfReview(review, user), parts.store);
  return { allowed, ...(reason === '' ? {} : { reason }) };
}

function attributesOfReview(review: Review, user: UserInfo): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = review.spec ?? {};
  if (resource !== undefined && path !== undefined) {
    const why = 'cannot be specified in combination with resourceAttributes';
    refuse(review, invalidValue('spec.nonResourceAttributes', path, why));
  }
  if (resource === undefined && path === undefined) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    refuse(review, invalidValue('spec.resourceAttributes', null, why));
  }
  for (const kind of ['fieldSelector', 'labelSelector'] as const) requireOneForm(review, kind, resource?.[kind]);
  return {
    user,
    verb: resource?.verb ?? path?.verb ?? '',
    isResource: resource !== undefined,
    group: resource?.group ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
    path: path?.path ?? '',
  };
}

/** Selectors narrow what is asked; neither RBAC nor the Node authorizer looks at them, so only their form is checked. */
function requireOneForm(review: Review, kind: string, selector: SelectorAttributes | undefined): void {
  if (selector === undefined) return;
  const { rawSelector = '', requirements = [] } = selector;
  const field = `spec.resourceAttributes.${kind}`;
  if (rawSelector !== '' && requirements.length > 0) {
    refuse(
      review,
      invalidValue(`${field}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'),
    );
  }
  if (rawSelector === '' && requirements.length === 0) {
    refuse(review, {
      reason: 'FieldValueRequired',
      message: `Required value: when ${field} is specified, requirements or rawSelector is required`,
      field: `${field}.requirements`,
    });
  }
}

// ---- Rules ----------------------------------------------------------------------------------------------------------

/** What `kubectl auth can-i --list` shows. */
function reviewRules({ store }: ReviewParts, review: Review, user: UserInfo): unknown {
  const namespace = review.spec?.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const { rules, errors } = policyOf(store).rulesFor(user, namespace);
  // A node's rights depend on what its pods use: they are no list of rules.
  const isNode = user.groups.includes('system:nodes');
  const problems = [...errors, ...(isNode ? ['node authorizer does not support user rule resolution'] : [])];
  const part = (names: readonly (keyof PolicyRule)[]) => (rule: PolicyRule) =>
    Object.fromEntries(names.flatMap((name) => (rule[name]?.length ? [[name, rule[name]]] : [])));
  return {
    resourceRules: rules
      .filter((rule) => rule.resources?.length)
      .map(part(['verbs', 'apiGroups', 'resources', 'resourceNames'])),
    nonResourceRules: rules.filter((rule) => rule.nonResourceURLs?.length).map(part(['verbs', 'nonResourceURLs'])),
    incomplete: problems.length > 0,
    ...(problems.length === 0 ? {} : { evaluationError: aggregate(problems) }),
  };
}

// ---- Tokens ---------------------------------------------------------------------------------------------------------

async function reviewToken(parts: ReviewParts, review: Review): Promise<unknown> {
  const { token = '', audiences = [] } = review.spec ?? {};
  if (token === '') throw badRequest(`token is required for TokenReview in authentication`);
  const refused = (why: string) => ({ authenticated: false, user: {}, error: `[invalid bearer token, ${why}]` });
  const asked = audiences.length > 0 ? audiences : [API_AUDIENCE];
  if (isBootstrapToken(token)) {
    const user = bootstrapUser(parts.store, token, parts.nowMs());
    if (user === undefined || !asked.includes(API_AUDIENCE)) return refused('invalid bootstrap token');
    return { authenticated: true, user, audiences: [API_AUDIENCE] };
  }
  try {
    const judged = await judgeToken(parts, parts.cluster, token, parts.nowMs(), asked);
    const ended = whyTokenEnded(judged.user, parts.store, parts.nowMs());
    if (ended !== undefined) return refused(ended);
    return { authenticated: true, user: judged.user, audiences: judged.audiences };
  } catch (error) {
    if (error instanceof TokenRefused) return refused(error.message);
    throw error;
  }
}
