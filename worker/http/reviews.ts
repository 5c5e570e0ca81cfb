/** Questions to the API about tokens and rights: created, answered, never stored. */
import type { KubeObject } from '../../shared/api/meta.ts';
import { badRequest } from '../../shared/errors.ts';
import type { UserInfo } from '../env.ts';
import type { Reader } from '../store/store.ts';
import { type Attributes, authorize } from './authorization.ts';
import { whyTokenEnded } from './token-status.ts';
import { API_AUDIENCE, TokenRefused, verifyToken } from './tokens.ts';

export interface ReviewParts {
  reader: Reader;
  secret: string;
  cluster: string;
  nowMs(): number;
}

interface Review extends KubeObject {
  spec?: {
    resourceAttributes?: Partial<
      Record<'namespace' | 'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'name', string>
    >;
    nonResourceAttributes?: { path?: string; verb?: string };
    user?: string;
    uid?: string;
    groups?: string[];
    namespace?: string;
    token?: string;
    audiences?: string[];
  };
  status?: unknown;
}

function attributesOfReview(review: Review, user: UserInfo): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = review.spec ?? {};
  if ((resource === undefined) === (path === undefined)) {
    throw badRequest('exactly one of nonResourceAttributes or resourceAttributes must be specified');
  }
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

const decided = (parts: ReviewParts, attributes: Attributes) => {
  const { allowed, reason } = authorize(attributes, parts.reader);
  return { allowed, ...(reason === '' ? {} : { reason }) };
};

function subjectOf(review: Review): UserInfo {
  const { user = '', groups = [], uid } = review.spec ?? {};
  if (user === '' && groups.length === 0) throw badRequest('at least one of user or group must be specified');
  return { username: user, groups, ...(uid === undefined ? {} : { uid }) };
}

async function reviewToken(parts: ReviewParts, review: Review): Promise<unknown> {
  const { token = '', audiences = [] } = review.spec ?? {};
  if (token === '') return { authenticated: false, user: {}, error: 'token is empty' };
  try {
    const asked = audiences.length > 0 ? audiences : [API_AUDIENCE];
    const verified = await verifyToken(parts.secret, token, parts.nowMs(), asked);
    const ended =
      verified.cluster === parts.cluster ? whyTokenEnded(verified.user, parts.reader) : 'token is for another cluster';
    if (ended !== undefined) return { authenticated: false, user: {}, error: `invalid bearer token: ${ended}` };
    return { authenticated: true, user: verified.user, audiences: verified.audiences };
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    return { authenticated: false, user: {}, error: `invalid bearer token: ${error.message}` };
  }
}

/** What an allowed rule of the authorizer says in RBAC's words, for `kubectl auth can-i --list`. */
function rulesOf(user: UserInfo): unknown {
  const everything = user.groups.includes('system:masters');
  return {
    resourceRules: [
      ...(everything ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : []),
      {
        verbs: ['create'],
        apiGroups: ['authorization.k8s.io'],
        resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      },
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
    ],
    nonResourceRules: everything
      ? [{ verbs: ['*'], nonResourceURLs: ['*'] }]
      : [
          {
            verbs: ['get'],
            nonResourceURLs: [
              '/api',
              '/api/*',
              '/apis',
              '/apis/*',
              '/healthz',
              '/livez',
              '/openapi',
              '/openapi/*',
              '/readyz',
              '/version',
              '/version/',
            ],
          },
        ],
    // A node's rights depend on what its pods use: they are no list of rules.
    incomplete: user.groups.includes('system:nodes'),
  };
}

/** The object with its status filled in. @throws StatusError 400 */
export async function answerReview(
  parts: ReviewParts,
  user: UserInfo,
  namespace: string,
  object: KubeObject,
): Promise<KubeObject> {
  const review = object as Review;
  switch (review.kind) {
    case 'SelfSubjectReview':
      return { ...review, status: { userInfo: user } } as KubeObject;
    case 'TokenReview':
      return { ...review, status: await reviewToken(parts, review) } as KubeObject;
    case 'SelfSubjectAccessReview':
      return { ...review, status: decided(parts, attributesOfReview(review, user)) } as KubeObject;
    case 'LocalSubjectAccessReview':
      if ((review.spec?.resourceAttributes?.namespace ?? '') !== namespace) {
        throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
      }
      return { ...review, status: decided(parts, attributesOfReview(review, subjectOf(review))) } as KubeObject;
    case 'SubjectAccessReview':
      return { ...review, status: decided(parts, attributesOfReview(review, subjectOf(review))) } as KubeObject;
    case 'SelfSubjectRulesReview':
      return { ...review, status: rulesOf(user) } as KubeObject;
    default:
      throw badRequest(`${review.kind} is no review`);
  }
}
