/** What policy asks of a grant's sessions now, and whether anybody can hold them to it. */

import { ApiError } from '@tidegate/api'
import type { Decision, GrantEvent, Instant, Resource } from '@tidegate/core'
import { grantCommands, obligationsOf } from '@tidegate/core'
import type { StoredGrant } from '../store/grants.ts'

type Now = { readonly now: Instant; readonly decision: Decision }

export function obligingEvents(
  grant: Parameters<typeof grantCommands.oblige>[0],
  { now, decision }: Now,
): readonly GrantEvent[] {
  const outcome = grantCommands.oblige(grant, { now, obligations: obligationsOf(decision) })
  return 'events' in outcome ? outcome.events : []
}

export const beyondObliging = (decision: Decision): ApiError =>
  new ApiError('policy-refuses', {
    detail: 'It was opened without a gateway, which policy asks for by now, and is ending. Request access again.',
    decision,
  })

/** Its holder has the target's own credentials, which by now only gateways get. */
export const isPastGateway = (
  { state, byGateway }: Pick<StoredGrant, 'byGateway' | 'state'>,
  { gateway }: Resource,
): boolean => state === 'active' && !byGateway && gateway === 'required'

/** Its holder has, or is about to get, the target's own credentials: no gateway is there to hold sessions to anything. */
export function isBeyondObliging(
  { byGateway, obligations, state }: Pick<StoredGrant, 'byGateway' | 'obligations' | 'state'>,
  decision: Decision,
): boolean {
  const isOut = state === 'provisioning' || state === 'active'
  // What was asked for before was only opened through a gateway.
  return isOut && !byGateway && obligations.length === 0 && obligationsOf(decision).length > 0
}
