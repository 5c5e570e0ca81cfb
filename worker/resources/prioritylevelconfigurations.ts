/** `flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration`. Source: kubernetes, pkg/apis/flowcontrol/validation. */
import { PRIORITY_LEVEL_CONFIGURATIONS, type PriorityLevelConfiguration } from '../../shared/api/flowcontrol.ts';
import type { Draft, StatusCause } from '../../shared/api/meta.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../shared/errors.ts';
import { AGE, NAME, text } from './columns.ts';
import type { Column, ResourceDefinition } from './definition.ts';
import { ALL_VERBS } from './verbs.ts';

const TYPES = ['Exempt', 'Limited'];
const RESPONSES = ['Queue', 'Reject'];
const DEFAULT_SHARES = 30;
const QUEUING = { queues: 64, handSize: 8, queueLengthLimit: 50 };
const MAX_QUEUES = 10_000_000;

type Limited = NonNullable<PriorityLevelConfiguration['spec']['limited']>;

function validateLimited(limited: Limited, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const {
    nominalConcurrencyShares: shares = 0,
    lendablePercent: lendable = 0,
    borrowingLimitPercent,
    limitResponse,
  } = limited;
  if (shares < 0)
    causes.push(invalidValue(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer'));
  if (lendable < 0 || lendable > 100) {
    causes.push(invalidValue(`${path}.lendablePercent`, lendable, 'must be between 0 and 100, inclusive'));
  }
  if (borrowingLimitPercent !== undefined && borrowingLimitPercent < 0) {
    causes.push(
      invalidValue(
        `${path}.borrowingLimitPercent`,
        borrowingLimitPercent,
        'if specified, must be a non-negative integer',
      ),
    );
  }
  const at = `${path}.limitResponse`;
  const type = limitResponse?.type ?? '';
  const queuing = limitResponse?.queuing;
  if (!RESPONSES.includes(type)) return [...causes, notSupported(`${at}.type`, type, RESPONSES)];
  if (type === 'Reject') {
    if (queuing)
      causes.push(forbiddenField(`${at}.queuing`, 'must be nil if limited.limitResponse.type is not Limited'));
    return causes;
  }
  if (!queuing)
    return [...causes, required(`${at}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')];
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  if (queueLengthLimit <= 0)
    causes.push(invalidValue(`${at}.queuing.queueLengthLimit`, queueLengthLimit, 'must be positive'));
  if (queues <= 0) causes.push(invalidValue(`${at}.queuing.queues`, queues, 'must be positive'));
  else if (queues > MAX_QUEUES)
    causes.push(invalidValue(`${at}.queuing.queues`, queues, `must not be greater than ${MAX_QUEUES}`));
  if (handSize <= 0) causes.push(invalidValue(`${at}.queuing.handSize`, handSize, 'must be positive'));
  else if (handSize > queues) {
    causes.push(invalidValue(`${at}.queuing.handSize`, handSize, `should not be greater than queues (${queues})`));
  } else if (handSize * Math.log2(queues) > 60) {
    const bits = (handSize * Math.log2(queues)).toFixed(0);
    const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than 60 (${bits})`;
    causes.push(invalidValue(`${at}.queuing.handSize`, handSize, why));
  }
  return causes;
}

function validate(draft: Draft<PriorityLevelConfiguration>): StatusCause[] {
  const { type = '', limited, exempt } = draft.spec ?? {};
  const name = draft.metadata.name ?? '';
  if (name === 'exempt' && type !== 'Exempt') {
    return [invalidValue('spec.type', type, "must be 'Exempt' if `name` is 'exempt'")];
  }
  if (type === 'Exempt') {
    const causes: StatusCause[] = [];
    if (limited) causes.push(forbiddenField('spec.limited', 'must be nil if the type is not Limited'));
    const { lendablePercent: lendable = 0 } = exempt ?? {};
    if (lendable < 0 || lendable > 100) {
      causes.push(invalidValue('spec.exempt.lendablePercent', lendable, 'must be between 0 and 100, inclusive'));
    }
    return causes;
  }
  if (type !== 'Limited') return [notSupported('spec.type', type, TYPES)];
  if (exempt) return [forbiddenField('spec.exempt', 'must be nil if the type is Limited')];
  if (!limited) return [required('spec.limited', 'must not be empty when type is Limited')];
  return validateLimited(limited, 'spec.limited');
}

const queuingColumn = (
  name: string,
  description: string,
  field: keyof typeof QUEUING,
): Column<PriorityLevelConfiguration> =>
  text<PriorityLevelConfiguration>(name, description, ({ spec }) => {
    const value = spec.limited?.limitResponse?.queuing?.[field];
    return value === undefined ? '<none>' : String(value);
  });

export const PRIORITY_LEVEL_CONFIGURATIONS_DEFINITION: ResourceDefinition<PriorityLevelConfiguration> = {
  identity: PRIORITY_LEVEL_CONFIGURATIONS,
  singular: 'prioritylevelconfiguration',
  listKind: 'PriorityLevelConfigurationList',
  verbs: ALL_VERBS,
  subresources: ['status'],
  schema: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  generation: true,
  unconditionalUpdate: false,
  default(draft) {
    const { spec } = draft;
    if (spec?.type === 'Exempt') {
      spec.exempt ??= {};
      spec.exempt.nominalConcurrencyShares ??= 0;
      spec.exempt.lendablePercent ??= 0;
    }
    if (spec?.limited === undefined) return;
    spec.limited.nominalConcurrencyShares ??= DEFAULT_SHARES;
    spec.limited.lendablePercent ??= 0;
    const queuing = spec.limited.limitResponse?.queuing;
    if (queuing === undefined) return;
    for (const [field, value] of Object.entries(QUEUING)) queuing[field as keyof typeof QUEUING] ||= value;
  },
  prepareCreate(draft) {
    draft.status = {};
  },
  validate,
  columns: [
    NAME,
    text<PriorityLevelConfiguration>(
      'Type',
      '`type` indicates whether this priority level is subject to limitation on request execution.',
      ({ spec }) => spec.type,
    ),
    text<PriorityLevelConfiguration>(
      'NominalConcurrencyShares',
      '`nominalConcurrencyShares` (NCS) contributes to the computation of the NominalConcurrencyLimit (NominalCL) of this level.',
      ({ spec }) => {
        const shares = spec.limited?.nominalConcurrencyShares;
        return shares === undefined ? '<none>' : String(shares);
      },
    ),
    queuingColumn('Queues', '`queues` is the number of queues for this priority level.', 'queues'),
    queuingColumn(
      'HandSize',
      '`handSize` is a small positive number that configures the shuffle sharding of requests into queues.',
      'handSize',
    ),
    queuingColumn(
      'QueueLengthLimit',
      '`queueLengthLimit` is the maximum number of requests allowed to be waiting in a given queue of this priority level at a time; excess requests are rejected.',
      'queueLengthLimit',
    ),
    AGE,
  ],
};
