/** Whether a caller's token still holds, and whether he may: for what the Worker asks the object besides requests. */
import { unauthorized } from '../../shared/errors.ts';
import type { Store } from '../store/store.ts';
import { type Attributes, authorize, forbiddenError } from './authorization.ts';
import { whyTokenEnded } from './token-status.ts';

/** @throws StatusError 401 for a token that has ended, 403 for what its user may not. */
export function requireRight(attributes: Attributes, store: Store): void {
  if (whyTokenEnded(attributes.user, store, Date.now()) !== undefined) throw unauthorized();
  const { allowed, reason } = authorize(attributes, store);
  if (!allowed) throw forbiddenError(attributes, reason);
}
