/** `longshore.dev/v1 Hook`: schema and rules. What a delivery does is `controllers/hooks.ts` and `edge/`. */

import type { StructuralSchema } from '../../shared/api/apiextensions.ts';
import { HOOKS, type Hook } from '../../shared/api/longshore.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { invalidValue } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { ResourceDefinition } from './definition.ts';
import { checkConfigKey, checkDNSLabel, checkDNSSubdomain } from './names.ts';
import { defaultStructural } from './structural.ts';
import { validateStructural } from './structural-validation.ts';
import { ALL_VERBS } from './verbs.ts';

const string = (description: string, more: StructuralSchema = {}): StructuralSchema => ({
  type: 'string',
  description,
  ...more,
});

const SCHEMA: StructuralSchema = {
  type: 'object',
  description: 'Hook turns a signed POST, as a registry or a repository sends it, into a new image of a Deployment.',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      description: 'What a delivery must look like, and what it changes.',
      required: ['secretRef', 'target'],
      properties: {
        signature: string(
          "How a delivery proves itself: 'github' is GitHub's X-Hub-Signature-256, 'hmac' an HMAC-SHA256 of the body in X-Longshore-Signature.",
          { enum: ['github', 'hmac'], default: 'github' },
        ),
        secretRef: {
          type: 'object',
          description: "The Secret in the hook's namespace that holds the key.",
          required: ['name'],
          properties: {
            name: string('Name of the Secret.', { minLength: 1 }),
            key: string('Which of its data is the key.', { default: 'secret', minLength: 1 }),
          },
        },
        target: {
          type: 'object',
          description: 'What a delivery changes.',
          required: ['deployment', 'container'],
          properties: {
            deployment: string("A Deployment in the hook's namespace.", { minLength: 1 }),
            container: string('The container of its pod template that gets the image.', { minLength: 1 }),
          },
        },
        imagePointer: string('Where the image stands in the JSON body, as a JSON Pointer (RFC 6901).', {
          default: '/image',
        }),
        suspend: { type: 'boolean', description: 'A suspended hook answers 409 and changes nothing.' },
      },
    },
    status: {
      type: 'object',
      description: 'What the hook has seen and done. Written by the control plane.',
      properties: {
        url: string('Where deliveries are sent.'),
        lastDelivery: {
          type: 'object',
          description: 'The last delivery whose signature was right.',
          properties: {
            id: string('As the sender names it.'),
            time: string('When it came.', { format: 'date-time' }),
            image: string('The image it asked for.'),
            result: string('What became of it.', { enum: ['Deployed', 'Unchanged', 'Refused'] }),
            message: string('Why.'),
          },
        },
        conditions: {
          type: 'array',
          description: 'Ready: the Secret, the Deployment and the container are there.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
          items: {
            type: 'object',
            required: ['type', 'status'],
            properties: {
              type: string('Type of the condition.'),
              status: string('True, False or Unknown.', { enum: ['True', 'False', 'Unknown'] }),
              observedGeneration: { type: 'integer', format: 'int64', description: 'Generation it was set for.' },
              lastTransitionTime: string('When it last changed.', { format: 'date-time' }),
              reason: string('One word, for programs.'),
              message: string('A sentence, for people.'),
            },
          },
        },
      },
    },
  },
};

function validate(draft: Draft<Hook>): StatusCause[] {
  const causes = validateStructural(SCHEMA, draft);
  if (causes.length > 0) return causes;
  const { secretRef, target, imagePointer } = draft.spec;
  const check = (path: string, value: string, rule: (value: string) => string[]) => {
    for (const message of rule(value)) causes.push(invalidValue(path, value, message));
  };
  check('spec.secretRef.name', secretRef.name, checkDNSSubdomain);
  if (secretRef.key !== undefined) check('spec.secretRef.key', secretRef.key, checkConfigKey);
  check('spec.target.deployment', target.deployment, checkDNSSubdomain);
  check('spec.target.container', target.container, checkDNSLabel);
  if (imagePointer !== undefined && !/^(?:\/(?:[^~]|~[01])*)?$/.test(imagePointer)) {
    causes.push(invalidValue('spec.imagePointer', imagePointer, 'must be a JSON Pointer (RFC 6901)'));
  }
  return causes;
}

export const HOOKS_DEFINITION: ResourceDefinition<Hook> = {
  identity: HOOKS,
  singular: 'hook',
  listKind: 'HookList',
  categories: ['all'],
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: '',
  structural: SCHEMA,
  generation: true,
  unconditionalUpdate: false,
  default: (draft) => defaultStructural(SCHEMA, draft),
  prepareCreate(draft) {
    delete draft.status;
  },
  validate,
  validateStatus: (draft) => validateStructural(SCHEMA, draft),
  entries: (hook) => [
    { index: 'uses', value: `secrets/${hook.spec.secretRef.name}` },
    { index: 'uses', value: `deployments.apps/${hook.spec.target.deployment}` },
  ],
  columns: [
    NAME,
    text<Hook>('Deployment', 'The Deployment that a delivery changes.', (hook) => hook.spec.target.deployment),
    text<Hook>('Container', 'The container that gets the image.', (hook) => hook.spec.target.container),
    text<Hook>('Last-Image', 'The image of the last delivery.', (hook) => hook.status?.lastDelivery?.image ?? '<none>'),
    AGE,
    text<Hook>('URL', 'Where deliveries are sent.', (hook) => hook.status?.url ?? '<none>', true),
  ],
};
