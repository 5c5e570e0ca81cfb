/** Admission webhooks, with their side of `fetch` played by the test. */
import { afterEach, beforeEach, vi } from 'vitest';
import type { MutatingWebhook } from '../../../shared/api/admissionregistration.ts';
import type { AdmissionRequest } from '../../../worker/admission/request.ts';
import type { TestApi } from './api.ts';

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';

export interface Answer {
  allowed?: boolean;
  patch?: unknown[];
  status?: object;
}
type Hook = (request: AdmissionRequest) => Answer | Promise<Answer>;

export interface PlayedWebhooks {
  /** By the first label of the host. A host without one refuses connections. */
  hooks: Map<string, Hook>;
  asked: { hook: string; request: AdmissionRequest }[];
}

/** For the tests of the file that calls it; each begins without hooks. */
export function playWebhooks(): PlayedWebhooks {
  const played: PlayedWebhooks = { hooks: new Map(), asked: [] };
  beforeEach(() => {
    played.hooks.clear();
    played.asked.length = 0;
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const [hook = ''] = new URL(String(input)).hostname.split('.');
      const { request, ...review } = JSON.parse(String(init?.body)) as { request: AdmissionRequest };
      played.asked.push({ hook, request });
      const answer = played.hooks.get(hook);
      if (answer === undefined) throw new TypeError('connection refused');
      const { patch, allowed = true, ...rest } = await answer(request);
      const change = patch === undefined ? {} : { patchType: 'JSONPatch', patch: btoa(JSON.stringify(patch)) };
      return Response.json({ ...review, response: { uid: request.uid, allowed, ...rest, ...change } });
    });
  });
  afterEach(() => vi.restoreAllMocks());
  return played;
}

/** One configuration of one webhook, both called `name`. */
export async function configureWebhook(
  api: TestApi,
  type: 'mutating' | 'validating',
  name: string,
  more: Partial<MutatingWebhook> = {},
  resources = ['pods'],
): Promise<void> {
  const webhook: MutatingWebhook = {
    name: `${name}.example.com`,
    clientConfig: { url: `https://${name}.example.com/judge` },
    rules: [{ operations: ['CREATE'], apiGroups: ['*'], apiVersions: ['*'], resources }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  };
  const body = { metadata: { name }, webhooks: [webhook] };
  await api.json('POST', `${CONFIGURATIONS}/${type}webhookconfigurations`, { body });
}
